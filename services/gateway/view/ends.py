"""Where streams were deleted: what comes again of the time before, or late, is none of theirs."""

from collections import OrderedDict

from prequel.shared.log.base import Position

KEPT = 10_000
"""Deleted streams that are remembered, a hundred bytes each: with fewer, a crash soon after many were deleted could
show predictions of an old one again."""


class Ends:
    """For each stream the newest command that deleted it. For the event loop only."""

    def __init__(self) -> None:
        self._commands: OrderedDict[str, Position] = OrderedDict()

    def add(self, stream: str, command: Position) -> None:
        """The command at that position of ``examples`` deleted it."""
        self._commands[stream] = command
        self._commands.move_to_end(stream)
        if len(self._commands) > KEPT:
            self._commands.popitem(last=False)

    def of(self, stream: str) -> Position | None:
        return self._commands.get(stream)

    def cover(self, stream: str, position: Position) -> bool:
        """Whether an event at ``position`` came before the deletion, or a status there does not know of it."""
        end = self._commands.get(stream)
        return end is not None and position.partition == end.partition and position <= end

    def clear(self) -> None:
        self._commands.clear()
