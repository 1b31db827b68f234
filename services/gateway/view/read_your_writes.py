"""Which events clients were told have taken effect: every later status must include them (read your writes)."""

from collections import OrderedDict

from prequel.shared.log.base import Position

MAX_STREAMS = 10_000
"""Streams that are remembered. Those used least recently are forgotten: a learner publishes within a quarter of a
second, so that their statuses have long been current."""


class ReadYourWrites:
    """For each stream the newest position whose effect a call with ``wait`` answered. Call it on the event loop only.

    A status includes the events before its own position (*next to read*).
    """

    def __init__(self) -> None:
        self._newest: OrderedDict[str, Position] = OrderedDict()

    def require(self, stream: str, position: Position) -> None:
        """From now on the stream's status must include the event at ``position`` of ``examples``."""
        known = self._newest.pop(stream, None)
        is_newer = known and known.partition == position.partition and known > position
        self._newest[stream] = known if known and is_newer else position
        if len(self._newest) > MAX_STREAMS:
            self._newest.popitem(last=False)

    def required(self, stream: str) -> Position | None:
        return self._newest.get(stream)

    def streams(self) -> list[str]:
        return list(self._newest)

    def stream_deleted(self, stream: str, command: Position) -> None:
        """Require nothing older than the deletion: no status will include it."""
        known = self._newest.get(stream)
        if known and known.partition == command.partition and known <= command:
            del self._newest[stream]

    def give_up(self, stream: str, position: Position) -> None:
        """Require the event no longer: no status included it in time (the learner may be restarting)."""
        if self._newest.get(stream) == position:
            del self._newest[stream]


def includes(status_position: str | None, required: Position | None) -> bool:
    """Whether a status at that position (None: there is none) includes the event at ``required``."""
    if required is None:
        return True
    if status_position is None:
        return False
    at = Position.parse(status_position)
    return at.partition != required.partition or at > required
