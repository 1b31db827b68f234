"""Which images belonged to a deleted stream: the command that deleted it says where they ended."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Command, Rejected
from prequel.shared.log.base import EXAMPLES, Log, Position

MAX_COMMANDS = 1_000
"""Commands whose positions are remembered. Others are read from the log again, once for each dead letter of their
stream: slower, but not wrong."""


class DeletedStreamImages:
    """Call it on the event loop only; it reads the log on another thread."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._image_ends: OrderedDict[Position, Mapping[int, int]] = OrderedDict()

    async def contains(self, command: Position, image: Position) -> bool:
        """Whether the image came before the command that deleted its stream. Raises LogUnavailable."""
        if command not in self._image_ends:
            self._image_ends[command] = await asyncio.to_thread(read_image_ends, self._log, command)
            if len(self._image_ends) > MAX_COMMANDS:
                self._image_ends.popitem(last=False)
        return image.offset < self._image_ends[command].get(image.partition, 0)


def read_image_ends(log: Log, command: Position) -> dict[int, int]:
    """Partition of ``images`` -> next offset when the stream was deleted, as its command in ``examples`` says.

    Empty where the log no longer has the command, or it says nothing of images. Blocks; raises LogUnavailable.
    """
    record = log.read(EXAMPLES, command.partition, [command.offset]).get(command.offset)
    try:
        event = record and decode_example(record)
    except Rejected:
        return {}
    ends = event.arguments.get("images", {}) if isinstance(event, Command) else {}
    return {int(partition): offset for partition, offset in ends.items()}
