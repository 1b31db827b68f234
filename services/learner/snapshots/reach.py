"""How far back in the log the kept snapshots of a partition still read: what retention has to leave alone."""

from collections import deque
from collections.abc import Mapping

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.snapshots.snapshots import KEPT
from prequel.shared.retention.floors import Floor


class Reach:
    """Of one partition since it was taken over. A learner may go back to any kept snapshot, so the lowest counts."""

    def __init__(self) -> None:
        self._floors: deque[Floor] = deque(maxlen=KEPT)

    def add(self, floor: Floor) -> None:
        """Of a snapshot that has been committed."""
        self._floors.append(floor)

    def floor(self) -> Floor | None:
        """None while a snapshot may be kept that somebody else wrote: how far that one reaches is not known here."""
        return min(self._floors, key=_offset) if len(self._floors) == KEPT else None


def floor(position: int, streams: Mapping[str, StreamState]) -> Floor:
    """Of the state before ``position``: labels read the features of the window, and a restart the record before it."""
    oldest = [(name, state.window.oldest()) for name, state in streams.items()]
    reached = [Floor(entry.position.offset, name, entry.time) for name, entry in oldest if entry is not None]
    return min([*reached, Floor(max(0, position - 1), "", 0.0)], key=_offset)


def _offset(floor: Floor) -> int:
    """Of equal ones the first counts: a window is named before the snapshot itself."""
    return floor.offset
