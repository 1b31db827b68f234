"""The limits within which a stranger's image is decoded, each checked before its cost arises."""

import re
from typing import NamedTuple

from PIL import Image, TiffImagePlugin

from prequel.shared.events.types import Rejected
from prequel.shared.images.unsupported import RAW

MAX_SCANS = 100
"""Scans of a progressive JPEG: encoders write about ten; each of thousands costs a pass over every pixel."""
LARGE_PIXELS = 16_000_000
"""Images above this are decoded by one thread, so that memory, and what malloc keeps, does not grow with threads."""

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_OF_JPEGS = ("JPEG", "MPO", "TIFF")
"""Formats whose pixels are JPEGs, or may be."""
_TIFF_JPEG = ("jpeg", "tiff_jpeg")
_DNG, _SUBFILE, _SUB_IFDS, _REDUCED = 50706, 254, 330, 1
_TIFF_PIECES = ((273, 279), (324, 325))  # offsets and lengths of strips, and of tiles


class ImageLimits(NamedTuple):
    """The largest image: encoded, in bytes, and decoded, in pixels."""

    max_bytes: int
    max_pixels: int


def check_bytes(data: bytes, limits: ImageLimits) -> None:
    """Raises Rejected."""
    if len(data) > limits.max_bytes:
        raise Rejected("too-large", f"{len(data)} bytes; PREQUEL_MAX_IMAGE_BYTES is {limits.max_bytes}")


def check_image(image: Image.Image, data: bytes, limits: ImageLimits) -> None:
    """By its header alone, and the structure of its file; nothing is decoded. Raises Rejected."""
    if image.width * image.height > limits.max_pixels:
        size = f"{image.width} x {image.height}"
        raise Rejected("too-large", f"{size} pixels; PREQUEL_MAX_PIXELS is {limits.max_pixels}")
    if image.format not in _OF_JPEGS:
        return
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _raw(image):
        raise Rejected("undecodable", RAW)
    if any(scans(piece) > MAX_SCANS for piece in _jpegs(image, data)):
        raise Rejected("too-large", f"a JPEG of more than {MAX_SCANS} scans")


def scans(data: bytes) -> int:
    """The scans of a JPEG, or one above the limit; what is inside a segment or after its end does not count.

    Markers and segments as in ITU-T T.81, annex B.
    """
    count, place = 0, 2
    while count <= MAX_SCANS and (marker := _MARKER.search(data, place)):
        kind, place = data[marker.start() + 1], marker.end()
        if kind == _END_OF_IMAGE:
            break
        count += kind == _START_OF_SCAN
        place += int.from_bytes(data[place : place + 2])
    return count


def _raw(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether its first page is only the thumbnail of what a camera's sensor saw."""
    tags = image.tag_v2
    return _DNG in tags or (_SUB_IFDS in tags and tags.get(_SUBFILE) == _REDUCED)


def _jpegs(image: Image.Image, data: bytes) -> list[bytes]:
    """The JPEGs of which an image consists: the file itself, or the strips and tiles of a TIFF."""
    if image.format in ("JPEG", "MPO"):
        return [data]
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.info.get("compression") not in _TIFF_JPEG:
        return []
    pieces = [
        (int(place), int(length))
        for places, lengths in _TIFF_PIECES
        for place, length in zip(image.tag_v2.get(places, ()), image.tag_v2.get(lengths, ()), strict=False)
    ]
    # Pieces may share bytes: then looking at each would cost more than the file's length allows.
    if sum(length for _, length in pieces) > len(data):
        raise Rejected("undecodable", "a TIFF whose JPEG parts overlap or are missing")
    return [data[place : place + length] for place, length in pieces]
