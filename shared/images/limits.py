"""Limits of images from strangers, each checked before the memory or time that it limits is spent."""

import re
from typing import NamedTuple

from PIL import Image, TiffImagePlugin

from prequel.shared.events.types import Rejected
from prequel.shared.images.unsupported import RAW

MAX_SCANS = 100
"""Scans of a progressive JPEG. Encoders write about ten; each is a pass over all pixels, and a bomb has thousands."""
LARGE_PIXELS = 16_000_000
"""Larger images are decoded by one thread, one after the other: one of 64 million pixels takes 256 MB, and with as
many at once as there are threads, memory would grow with the number of cores."""

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_MAY_BE_JPEG = ("JPEG", "MPO", "TIFF")
"""Formats whose pixels are JPEGs, or may be."""
_TIFF_JPEG = ("jpeg", "tiff_jpeg")
_DNG_VERSION, _SUBFILE_TYPE, _SUB_IFDS, _REDUCED = 50706, 254, 330, 1  # TIFF tags, and a value of the second
_TIFF_PIECES = ((273, 279), (324, 325))  # tags: offsets and lengths of strips, and of tiles


class ImageLimits(NamedTuple):
    """The largest image that is accepted: encoded, in bytes, and decoded, in pixels."""

    max_bytes: int
    max_pixels: int


def check_bytes(data: bytes, limits: ImageLimits) -> None:
    """Raises Rejected (`too-large`) for an encoded image above the limit."""
    if len(data) > limits.max_bytes:
        raise Rejected("too-large", f"{len(data)} bytes; PREQUEL_MAX_IMAGE_BYTES is {limits.max_bytes}")


def check_image(image: Image.Image, data: bytes, limits: ImageLimits) -> None:
    """Checks the header, and the structure of the file; decodes nothing. Raises Rejected."""
    if image.width * image.height > limits.max_pixels:
        size = f"{image.width} x {image.height}"
        raise Rejected("too-large", f"{size} pixels; PREQUEL_MAX_PIXELS is {limits.max_pixels}")
    if image.format not in _MAY_BE_JPEG:
        return
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _raw(image):
        raise Rejected("undecodable", RAW)
    if any(scans(piece) > MAX_SCANS for piece in _jpegs(image, data)):
        raise Rejected("too-large", f"a JPEG of more than {MAX_SCANS} scans")


def scans(data: bytes) -> int:
    """The number of scans of a JPEG, at most MAX_SCANS + 1; markers inside a segment or after the end do not count.

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
    """Whether it is a camera's raw file, whose first page is only a thumbnail."""
    tags = image.tag_v2
    return _DNG_VERSION in tags or (_SUB_IFDS in tags and tags.get(_SUBFILE_TYPE) == _REDUCED)


def _jpegs(image: Image.Image, data: bytes) -> list[bytes]:
    """The JPEGs that an image consists of: the file itself, or the strips and tiles of a TIFF."""
    if image.format in ("JPEG", "MPO"):
        return [data]
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.info.get("compression") not in _TIFF_JPEG:
        return []
    pieces = [
        (int(place), int(length))
        for places, lengths in _TIFF_PIECES
        for place, length in zip(image.tag_v2.get(places, ()), image.tag_v2.get(lengths, ()), strict=False)
    ]
    # Pieces may overlap. Then looking at each would take longer than the length of the file allows: thousands of pieces
    # of the whole file each.
    if sum(length for _, length in pieces) > len(data):
        raise Rejected("undecodable", "a TIFF whose JPEG parts overlap or are missing")
    return [data[place : place + length] for place, length in pieces]
