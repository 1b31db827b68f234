"""Ids that came again with another image or another label: the first one counts, the others are counted apart."""

CONTENT, LABEL = "content", "label"


class Conflicts:
    """How many there were, by what was different; where both were, it was another image."""

    def __init__(self) -> None:
        self._counts = {CONTENT: 0, LABEL: 0}

    def count(self, reason: str) -> None:
        self._counts[reason] += 1

    def numbers(self) -> dict[str, int]:
        return dict(self._counts)

    def load(self, numbers: dict[str, int]) -> None:
        """The inverse of ``numbers``."""
        self._counts = {CONTENT: numbers[CONTENT], LABEL: numbers[LABEL]}
