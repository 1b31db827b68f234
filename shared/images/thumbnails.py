"""Thumbnails: an image decoded within limits, upright, small, and encoded again."""

import io
from typing import NamedTuple

from PIL import Image

from prequel.shared.images.colours import to_plain_mode, upright
from prequel.shared.images.reading import ImageReader, Loaded

PHOTO_SIDE = 64
"""Pixels. Larger thumbnails without transparency are JPEGs; smaller ones stay exact."""
JPEG_QUALITY = 85
"""At 75 edges show blocks at these sizes; at 95 a thumbnail is twice as large and looks the same."""


class EncodedImage(NamedTuple):
    """Encoded bytes and their media type."""

    data: bytes
    content_type: str


def thumbnail(data: bytes, side: int, reader: ImageReader) -> EncodedImage:
    """The image upright and no larger than ``side`` x ``side``; never enlarged. Raises Rejected."""
    return reader.read(data, lambda loaded: _encode(_shrunk(loaded, side)), (side, side))


def _shrunk(loaded: Loaded, side: int) -> Image.Image:
    image = to_plain_mode(loaded.image)
    image = image if image.mode == "RGBA" else image.convert("RGB")
    image.thumbnail((side, side))
    return upright(image, loaded.image)


def _encode(image: Image.Image) -> EncodedImage:
    exact = image.mode == "RGBA" or max(image.size) <= PHOTO_SIDE
    stream = io.BytesIO()
    if exact:
        image.save(stream, "PNG")
    else:
        image.save(stream, "JPEG", quality=JPEG_QUALITY)
    return EncodedImage(stream.getvalue(), "image/png" if exact else "image/jpeg")
