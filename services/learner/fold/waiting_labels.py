"""Labels that came before their features, bounded."""

from typing import Any, NamedTuple

from prequel.shared.log.base import Position


class Waiting(NamedTuple):
    """One label; ``since`` is the number of examples there were when it came."""

    label: str
    position: Position
    time: float
    since: int


class WaitingLabels:
    """By image id, oldest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._labels: dict[str, Waiting] = {}

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def full(self) -> bool:
        return len(self._labels) >= self._most

    def resize(self, most: int) -> None:
        """From here on take so many; more that wait already go on waiting."""
        self._most = most

    def get(self, id: str) -> Waiting | None:
        return self._labels.get(id)

    def put(self, id: str, waiting: Waiting) -> None:
        self._labels[id] = waiting

    def pop(self, id: str) -> Waiting | None:
        return self._labels.pop(id, None)

    def expire(self, before: int) -> list[tuple[str, Waiting]]:
        """Take out the labels that have waited since fewer than ``before`` examples."""
        old = [(id, waiting) for id, waiting in self._labels.items() if waiting.since < before]
        for id, _ in old:
            del self._labels[id]
        return old

    def rows(self) -> list[list[Any]]:
        return [[id, w.label, list(w.position), w.time, w.since] for id, w in self._labels.items()]

    @classmethod
    def from_rows(cls, most: int, rows: list[list[Any]]) -> "WaitingLabels":
        self = cls(most)
        self._labels = {id: Waiting(label, Position(*at), time, since) for id, label, at, time, since in rows}
        return self
