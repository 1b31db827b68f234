"""What somebody has been told, and so must be found in every later answer."""

from collections import OrderedDict

from prequel.shared.log.base import Position

KEPT = 10_000
"""Streams; the ones promised least recently are forgotten: their statuses are current long since."""


class Promises:
    """For each stream the newest position whose effect a call with ``wait`` has answered. For the event loop only.

    A status shows what stands before its own position (*next to read*).
    """

    def __init__(self) -> None:
        self._newest: OrderedDict[str, Position] = OrderedDict()

    def make(self, stream: str, position: Position) -> None:
        """From now on the event at ``position`` of ``examples`` shows in the stream's status."""
        known = self._newest.pop(stream, None)
        later = known and known.partition == position.partition and known > position
        self._newest[stream] = known if known and later else position
        if len(self._newest) > KEPT:
            self._newest.popitem(last=False)

    def of(self, stream: str) -> Position | None:
        return self._newest.get(stream)

    def streams(self) -> list[str]:
        return list(self._newest)

    def ended(self, stream: str, command: Position) -> None:
        """The stream was deleted: what it was told of the time before shows in no status any more."""
        known = self._newest.get(stream)
        if known and known.partition == command.partition and known <= command:
            del self._newest[stream]

    def give_up(self, stream: str, position: Position) -> None:
        """It did not come true in time (its learner is away, say): nobody waits for it again."""
        if self._newest.get(stream) == position:
            del self._newest[stream]


def shows(status_position: str | None, promised: Position | None) -> bool:
    """Whether a status at that position (None: there is none) shows the event at ``promised``."""
    if promised is None:
        return True
    if status_position is None:
        return False
    at = Position.parse(status_position)
    return at.partition != promised.partition or at > promised
