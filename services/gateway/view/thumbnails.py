"""Thumbnails of stored images, made by Pillow within limits, the newest kept in memory."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from PIL import Image

from prequel.services.gateway.blocking_calls import Bounded
from prequel.shared.images.colours import to_plain_mode, upright
from prequel.shared.images.formats import detect_format, media_type
from prequel.shared.images.limits import ImageLimits
from prequel.shared.images.reading import ImageReader, Loaded
from prequel.shared.runtime.deadlines import QUERY_S

KEPT_BYTES = 32 * 2**20
THREADS = 2
PHOTO_SIDE = 64
"""Larger thumbnails without transparency are JPEGs; smaller ones stay exact."""

Result = TypeVar("Result")


class Picture(NamedTuple):
    """Encoded bytes and what they are."""

    data: bytes
    content_type: str


def recognised(data: bytes) -> str:
    """The media type by the first bytes, of the formats that are decoded and that cannot hold a script.

    What a client called it is not asked: anything else is application/octet-stream.
    """
    return media_type(detect_format(data))


class Thumbnails:
    """Two at a time, so that the gallery does not starve the stream; the newest are kept, up to ``most_bytes``."""

    def __init__(self, limits: ImageLimits, most_bytes: int = KEPT_BYTES) -> None:
        self._reader, self._most_bytes = ImageReader(limits), most_bytes
        self._threads = Bounded("gateway-thumbnails", THREADS, QUERY_S)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], Picture] = OrderedDict()
        self._bytes = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do something slow where thumbnails are made. Raises Late."""
        return await self._threads.run(work)

    def kept(self, image: str, side: int) -> Picture | None:
        with self._lock:
            if (image, side) in self._kept:
                self._kept.move_to_end((image, side))
            return self._kept.get((image, side))

    def make(self, image: str, data: bytes, side: int) -> Picture:
        """Blocks. Raises Rejected, as the extractor does. ``image`` names what ``data`` is, for good."""
        picture = thumbnail(data, side, self._reader)
        with self._lock:
            replaced = self._kept.pop((image, side), None)
            self._kept[image, side] = picture
            self._bytes += len(picture.data) - (len(replaced.data) if replaced else 0)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1].data)
        return picture

    def close(self) -> None:
        self._threads.close()
        self._reader.close()


def thumbnail(data: bytes, side: int, reader: ImageReader) -> Picture:
    """The image upright and no larger than ``side`` x ``side``; never enlarged. Raises Rejected."""
    return reader.read(data, lambda loaded: _encode(_shrunk(loaded, side)), (side, side))


def _shrunk(loaded: Loaded, side: int) -> Image.Image:
    image = to_plain_mode(loaded.image)
    image = image if image.mode == "RGBA" else image.convert("RGB")
    image.thumbnail((side, side))
    return upright(image, loaded.image)


def _encode(image: Image.Image) -> Picture:
    exact = image.mode == "RGBA" or max(image.size) <= PHOTO_SIDE
    stream = io.BytesIO()
    if exact:
        image.save(stream, "PNG")
    else:
        image.save(stream, "JPEG", quality=85)
    return Picture(stream.getvalue(), "image/png" if exact else "image/jpeg")
