"""Which images were a deleted stream's own: the command that deleted it says where they ended."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Command, Rejected
from prequel.shared.log.base import EXAMPLES, Log, Position

KEPT = 1_000
"""Commands that were read; more are read again, each once for every dead letter of its stream."""


class EndedImages:
    """For the event loop only; what it reads from the log, it reads on another thread."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._read: OrderedDict[Position, Mapping[int, int]] = OrderedDict()

    async def hold(self, command: Position, image: Position) -> bool:
        """Whether the image came before the command that deleted its stream. Raises LogUnavailable."""
        if command not in self._read:
            self._read[command] = await asyncio.to_thread(images_before, self._log, command)
            if len(self._read) > KEPT:
                self._read.popitem(last=False)
        return image.offset < self._read[command].get(image.partition, 0)


def images_before(log: Log, command: Position) -> dict[int, int]:
    """Partition -> next offset, as the command in ``examples`` says it; nothing where it does not. Blocks."""
    record = log.read(EXAMPLES, command.partition, [command.offset]).get(command.offset)
    try:
        found = record and decode_example(record)
    except Rejected:
        return {}
    images = found.arguments.get("images", {}) if isinstance(found, Command) else {}
    return {int(partition): offset for partition, offset in images.items()}
