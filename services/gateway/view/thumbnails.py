"""Thumbnails of stored images, made by Pillow within limits, the newest kept in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import TypeVar

from prequel.services.gateway.blocking_calls import BlockingCalls
from prequel.shared.images.formats import detect_format, media_type
from prequel.shared.images.limits import ImageLimits
from prequel.shared.images.reading import ImageReader
from prequel.shared.images.thumbnails import EncodedImage, thumbnail
from prequel.shared.runtime.deadlines import QUERY_S

MAX_CACHED_BYTES = 32 * 2**20
"""Some thousand thumbnails of the gallery's size: more than a screen shows and scrolls through."""
THREADS = 2
"""With more, a gallery that is scrolled would take the processor's cores from the stream."""

Result = TypeVar("Result")


def sniffed_media_type(data: bytes) -> str:
    """The media type by the first bytes, if it is a format that is decoded and that cannot contain a script.

    The type that a client gave is not trusted; anything else is application/octet-stream.
    """
    return media_type(detect_format(data))


class Thumbnails:
    """Made on two threads; the newest stay in memory, up to ``max_bytes``."""

    def __init__(self, limits: ImageLimits, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self._reader, self._max_bytes = ImageReader(limits), max_bytes
        self._calls = BlockingCalls("gateway-thumbnails", THREADS, QUERY_S)
        self._lock = threading.Lock()
        """The event loop reads the cache while the threads write it: order, entry and size must change together."""
        self._cached: OrderedDict[tuple[str, int], EncodedImage] = OrderedDict()
        self._bytes = 0

    async def run(self, function: Callable[[], Result]) -> Result:
        """Run something slow on the threads that make thumbnails. Raises CallTimeout."""
        return await self._calls.run(function)

    def cached(self, image: str, side: int) -> EncodedImage | None:
        with self._lock:
            if (image, side) in self._cached:
                self._cached.move_to_end((image, side))
            return self._cached.get((image, side))

    def make(self, image: str, data: bytes, side: int) -> EncodedImage:
        """Blocks. Raises Rejected, as the extractor does. ``image`` identifies ``data`` for ever (its position)."""
        made = thumbnail(data, side, self._reader)
        with self._lock:
            replaced = self._cached.pop((image, side), None)
            self._cached[image, side] = made
            self._bytes += len(made.data) - (len(replaced.data) if replaced else 0)
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._cached.popitem(last=False)[1].data)
        return made

    def forget(self, images: Collection[str]) -> None:
        """Keep no thumbnail of these images."""
        with self._lock:
            for key in [key for key in self._cached if key[0] in images]:
                self._bytes -= len(self._cached.pop(key).data)

    def close(self) -> None:
        self._calls.close()
        self._reader.close()
