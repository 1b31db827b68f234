"""Where streams were deleted: events and statuses of the time before no longer count."""

from collections import OrderedDict

from prequel.shared.log.base import Position

MAX_STREAMS = 10_000
"""Deleted streams that are remembered, a hundred bytes each. With fewer, a learner that crashes soon after many were
deleted, and repeats its predictions, could make predictions of an old one show again."""


class StreamDeletions:
    """For each stream the newest command that deleted it. Call it on the event loop only."""

    def __init__(self) -> None:
        self._commands: OrderedDict[str, Position] = OrderedDict()

    def add(self, stream: str, command: Position) -> None:
        """The command at that position of ``examples`` deleted the stream."""
        self._commands[stream] = command
        self._commands.move_to_end(stream)
        if len(self._commands) > MAX_STREAMS:
            self._commands.popitem(last=False)

    def command(self, stream: str) -> Position | None:
        """The position of the newest command that deleted the stream."""
        return self._commands.get(stream)

    def is_before(self, stream: str, position: Position) -> bool:
        """Whether an event at ``position`` came before the deletion, or a status at ``position`` does not include it.

        Only within the partition of the command: offsets of different partitions have no order.
        """
        command = self._commands.get(stream)
        return command is not None and position.partition == command.partition and position <= command

    def clear(self) -> None:
        self._commands.clear()
