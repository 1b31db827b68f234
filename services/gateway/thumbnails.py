"""Thumbnails of stored images, made by Pillow within limits, the newest kept in memory."""

import io
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from PIL import Image, ImageOps, UnidentifiedImageError

from services.gateway.bounded import Bounded
from shared.deadlines import QUERY_S

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
KEPT_BYTES = 32 * 2**20
THREADS = 2
PHOTO_SIDE = 64
"""Larger thumbnails without transparency are JPEGs; smaller ones stay exact."""

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)
Result = TypeVar("Result")


class Picture(NamedTuple):
    """Encoded bytes and what they are."""

    data: bytes
    content_type: str


class Undecodable(ValueError):
    """No image that a thumbnail can be made of, and why."""


def recognised(data: bytes) -> str:
    """The media type by the first bytes, of the formats that browsers show and that cannot hold a script.

    What a client called it is not asked: anything else is application/octet-stream.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "application/octet-stream")


class Thumbnails:
    """Two at a time, so that the gallery does not starve the stream; the newest are kept, up to ``most_bytes``."""

    def __init__(self, max_pixels: int, most_bytes: int = KEPT_BYTES) -> None:
        self._max_pixels, self._most_bytes = max_pixels, most_bytes
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
        """Blocks. Raises Undecodable. ``image`` names what ``data`` is, for good."""
        picture = thumbnail(data, side, self._max_pixels)
        with self._lock:
            replaced = self._kept.pop((image, side), None)
            self._kept[image, side] = picture
            self._bytes += len(picture.data) - (len(replaced.data) if replaced else 0)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1].data)
        return picture

    def close(self) -> None:
        self._threads.close()


def thumbnail(data: bytes, side: int, max_pixels: int) -> Picture:
    """The image upright and no larger than ``side`` x ``side``; never enlarged. Raises Undecodable."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise Undecodable(f"{image.width} x {image.height} are more than {max_pixels} pixels")
            image.draft("RGB", (side, side))
            return _encode(_shrunk(image, side))
    except Undecodable:
        raise
    except UnidentifiedImageError:
        raise Undecodable(f"not one of {', '.join(FORMATS)}") from None
    except Exception as error:  # Pillow's decoders raise whatever broken files lead them to
        raise Undecodable(f"{type(error).__name__}: {error}") from None


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    image.load()
    if image.mode.startswith("I"):
        image = image.convert("I").point([value / 257 for value in range(65_536)], "L")
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((side, side))
    return _upright(image)


def _upright(image: Image.Image) -> Image.Image:
    """Turned by its EXIF; unreadable EXIF turns nothing, as in a viewer and in the extractor."""
    try:
        return ImageOps.exif_transpose(image)
    except (SyntaxError, ValueError, TypeError, OSError, struct.error, LookupError, OverflowError):
        return image


def _encode(image: Image.Image) -> Picture:
    exact = image.mode == "RGBA" or max(image.size) <= PHOTO_SIDE
    stream = io.BytesIO()
    if exact:
        image.save(stream, "PNG")
    else:
        image.save(stream, "JPEG", quality=85)
    return Picture(stream.getvalue(), "image/png" if exact else "image/jpeg")
