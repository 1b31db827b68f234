"""Images that are in a source more than once: the first one counts, and the others are said."""

from collections import Counter

from prequel.services.producer.summary import ImageProblem
from prequel.shared.features.base import RowInfo


class Copies:
    """Remembers every row in memory: some 300 bytes each."""

    def __init__(self) -> None:
        self._first: dict[str, RowInfo] = {}
        self.count = 0
        self.contradictions: list[ImageProblem] = []
        """Copies under another label than the first one's."""
        self.across_splits: Counter[tuple[str, str]] = Counter()
        """Copies that are in another split than the first one: what is tested there was learned."""

    def is_new(self, row: RowInfo) -> bool:
        """Whether it is the first image of these bytes."""
        first = self._first.setdefault(row.id, row)
        if first is row:
            return True
        self.count += 1
        if row.label is not None and row.label != first.label:
            other = "without a label" if first.label is None else first.label
            self.contradictions.append(
                ImageProblem(row.name, f"{row.label}, but {other} as {first.name}, which counts")
            )
        if first.split and row.split and first.split != row.split:
            self.across_splits[first.split, row.split] += 1
        return False
