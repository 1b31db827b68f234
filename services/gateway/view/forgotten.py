"""Which images were forgotten, one by one: their predictions are hidden, and stay away if they come again."""

from collections import OrderedDict
from collections.abc import Collection

from prequel.shared.events.names import id_digest
from prequel.shared.log.base import Position

MAX_IMAGES = 100_000
"""Digests that are remembered, 200 bytes each. With fewer, a learner that crashes soon after many images were
forgotten, and repeats its predictions, could make one of them show again."""


class ForgottenImages:
    """By stream and digest of the id, the command that forgot the image. Call it on the event loop only."""

    def __init__(self) -> None:
        self._commands: OrderedDict[tuple[str, str], Position] = OrderedDict()
        self._streams: dict[str, int] = {}
        """How many of each: nearly all streams have none, and no digest has to be made for their images."""

    def add(self, stream: str, digests: Collection[str], command: Position) -> None:
        """The command at that position of ``examples`` forgot, or is about to forget, the images with these ids."""
        for digest in digests:
            self._remove((stream, digest))
            self._commands[stream, digest] = command
            self._streams[stream] = self._streams.get(stream, 0) + 1
        while len(self._commands) > MAX_IMAGES:
            self._remove(next(iter(self._commands)))

    def withdraw(self, command: Position) -> None:
        """The command was refused: it forgets nothing."""
        for key in [key for key, position in self._commands.items() if position == command]:
            self._remove(key)

    def hides(self, stream: str, id: str, position: Position) -> bool:
        """Whether what stands at this position of ``examples`` is of a forgotten image, and from before the command."""
        if stream not in self._streams:
            return False
        command = self._commands.get((stream, id_digest(id)))
        return command is not None and position.partition == command.partition and position <= command

    def names(self, stream: str, id: str) -> bool:
        """Whether an image with this id was forgotten, whenever that was."""
        return stream in self._streams and (stream, id_digest(id)) in self._commands

    def any(self, stream: str) -> bool:
        """Whether images of the stream were forgotten."""
        return stream in self._streams

    def clear(self) -> None:
        self._commands.clear()
        self._streams.clear()

    def _remove(self, key: tuple[str, str]) -> None:
        if self._commands.pop(key, None) is not None:
            self._streams[key[0]] -= 1
            if not self._streams[key[0]]:
                del self._streams[key[0]]
