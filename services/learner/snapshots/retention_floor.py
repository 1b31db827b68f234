"""How far back in the log the snapshots of a partition still read: what retention has to leave."""

from collections import deque
from collections.abc import Mapping

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.snapshots.snapshots import MAX_SNAPSHOTS
from prequel.shared.retention.floors import Floor


class RetentionFloor:
    """The floor of one partition. A learner may go back to any stored snapshot, so the lowest floor counts."""

    def __init__(self) -> None:
        self._floors: deque[Floor] = deque(maxlen=MAX_SNAPSHOTS)

    def add(self, floor: Floor) -> None:
        """Add that of a snapshot that has been committed."""
        self._floors.append(floor)

    def floor(self) -> Floor | None:
        """None while a snapshot may be stored that another learner wrote: its floor is not known here."""
        return min(self._floors, key=_offset) if len(self._floors) == MAX_SNAPSHOTS else None


def floor_of(position: int, streams: Mapping[str, StreamState]) -> Floor:
    """The floor of the state before ``position``: labels read the window's features, a restart the record before.

    A stream that waits for a replay needs all that the log has of it, labels that had come before it began too.
    """
    oldest = [(name, state.window.oldest()) for name, state in streams.items()]
    floors = [Floor(example.position.offset, name, example.time) for name, example in oldest if example is not None]
    floors += [
        Floor(min([state.begun, *state.adopted]), name, 0.0)
        for name, state in streams.items()
        if state.decisions.pending
    ]
    return min([*floors, Floor(max(0, position - 1), "", 0.0)], key=_offset)


def _offset(floor: Floor) -> int:
    """Of equal floors the first counts: a window is named before the snapshot itself."""
    return floor.offset
