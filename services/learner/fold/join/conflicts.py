"""Ids that came again with another image or another label: the first one counts, the others are counted apart."""

CONTENT, LABEL = "content", "label"
"""What was different the second time: the image, or its own label. Where both were, it counts as another image."""


class Conflicts:
    """How many ids came again with a difference, by what was different.

    >>> conflicts = Conflicts()
    >>> conflicts.count(LABEL)
    >>> conflicts.numbers()
    {'content': 0, 'label': 1}
    """

    def __init__(self) -> None:
        self._counts = {CONTENT: 0, LABEL: 0}

    def count(self, difference: str) -> None:
        """Count one more; ``difference`` is CONTENT or LABEL."""
        self._counts[difference] += 1

    def numbers(self) -> dict[str, int]:
        """As a snapshot stores them."""
        return dict(self._counts)

    def load(self, numbers: dict[str, int]) -> None:
        """The inverse of ``numbers``."""
        self._counts = {CONTENT: numbers[CONTENT], LABEL: numbers[LABEL]}
