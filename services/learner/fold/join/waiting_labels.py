"""Labels that came before their features, bounded: they wait in their stream."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from prequel.shared.log.base import Position


class WaitingLabel(NamedTuple):
    """One label; ``time`` in seconds since the epoch, ``since`` how many examples the stream had when it came.

    ``why`` is how its image was chosen, by the first label that came for it; ``by`` who gave this one.
    """

    label: str
    position: Position
    time: float
    since: int
    why: str
    by: str


class WaitingLabels:
    """The labels by image id, oldest first. Before one is added, the caller makes room where they are ``full``."""

    def __init__(self, max_labels: int) -> None:
        self._max_labels = max_labels
        self._labels: dict[str, WaitingLabel] = {}

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def full(self) -> bool:
        """Whether there is no room for another one."""
        return len(self._labels) >= self._max_labels

    def resize(self, max_labels: int) -> None:
        """Change how many may wait; where more wait already, they go on waiting."""
        self._max_labels = max_labels

    def ids(self) -> Iterator[str]:
        """The id of each example that a label waits for."""
        return iter(self._labels)

    def get(self, id: str) -> WaitingLabel | None:
        return self._labels.get(id)

    def has_label(self, label: str) -> bool:
        """Whether one of them is this one."""
        return any(waiting.label == label for waiting in self._labels.values())

    def put(self, id: str, label: WaitingLabel) -> None:
        self._labels[id] = label

    def pop(self, id: str) -> WaitingLabel | None:
        return self._labels.pop(id, None)

    def expire(self, before: int) -> list[tuple[str, WaitingLabel]]:
        """Remove and return the labels that have waited since the stream had fewer than ``before`` examples."""
        old = [(id, label) for id, label in self._labels.items() if label.since < before]
        for id, _ in old:
            del self._labels[id]
        return old

    def rows(self) -> list[list[Any]]:
        """As a snapshot stores them; ``from_rows`` is the inverse."""
        return [
            [id, label.label, list(label.position), label.time, label.since, label.why, label.by]
            for id, label in self._labels.items()
        ]

    @classmethod
    def from_rows(cls, max_labels: int, rows: list[list[Any]]) -> "WaitingLabels":
        """The inverse of ``rows``."""
        self = cls(max_labels)
        self._labels = {id: WaitingLabel(label, Position(*at), *rest) for id, label, at, *rest in rows}
        return self
