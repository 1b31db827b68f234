"""Files with the faults that people's images have: cut short, overwritten, and with odd parts that change nothing."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.extractor.pictures import chunk, encoded, photograph, quadrants

PHOTO = photograph(96, 64)
MAGIC = b"\x89PNG\r\n\x1a\n"


def interlaced(image: Image.Image) -> bytes:
    """A PNG in Adam7's seven passes, which Pillow does not write."""
    pixels, raw = np.asarray(image), b""
    for top, left, down, right in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        raw += b"".join(b"\0" + row.tobytes() for row in pixels[top::down, left::right])
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 1)
    return MAGIC + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def deep(image: Image.Image, colour: int, key: bytes = b"") -> bytes:
    """A PNG of 16 bits, grey (0) or colour (2), perhaps with a transparent colour."""
    pixels = np.asarray(image).astype(">u2") * 257
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", image.width, image.height, 16, colour, 0, 0, 0)
    transparent = chunk(b"tRNS", key) if key else b""
    return MAGIC + chunk(b"IHDR", header) + transparent + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


GREY = PHOTO.convert("L")
GOOD = {
    "jpeg": encoded(PHOTO, "JPEG", quality=85),
    "progressive.jpeg": encoded(PHOTO, "JPEG", quality=85, progressive=True),
    "grey.jpeg": encoded(GREY, "JPEG", quality=85),
    "cmyk.jpeg": encoded(quadrants().convert("CMYK"), "JPEG", quality=90),
    "png": encoded(PHOTO, "PNG"),
    "alpha.png": encoded(PHOTO.convert("RGBA"), "PNG"),
    "palette.png": encoded(PHOTO.quantize(64), "PNG"),
    "grey.png": encoded(GREY, "PNG"),
    "deep.png": deep(GREY, 0),
    "interlaced.png": interlaced(PHOTO),
    "apng.png": encoded(PHOTO, "PNG", save_all=True, append_images=[quadrants()], duration=50),
    "bmp": encoded(PHOTO, "BMP"),
    "gif": encoded(PHOTO, "GIF"),
    "webp": encoded(PHOTO, "WEBP"),
    "lossless.webp": encoded(PHOTO, "WEBP", lossless=True),
    "avif": encoded(PHOTO, "AVIF"),
}


def _with_chunk(part: bytes) -> bytes:
    """The good PNG with one more chunk behind its header."""
    return GOOD["png"][:33] + part + GOOD["png"][33:]


def _with_segment(marker: int, body: bytes) -> bytes:
    """The good JPEG with one more segment in front."""
    jpeg = GOOD["jpeg"]
    return jpeg[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def _wrong(kind: bytes, body: bytes) -> bytes:
    return chunk(kind, body)[:-4] + b"abcd"


KEY = struct.pack(">H", int(np.asarray(GREY)[10, 10]) * 257)
ODD = {
    "text with a wrong checksum.png": _with_chunk(_wrong(b"tEXt", b"a\0b")),
    "profile with a wrong checksum.png": _with_chunk(_wrong(b"iCCP", b"x\0\0" + zlib.compress(b"aaa"))),
    "profile of garbage.png": _with_chunk(chunk(b"iCCP", b"x\0\0garbage")),
    "profile without an end.png": _with_chunk(chunk(b"iCCP", b"x" * 100)),
    "resolution cut short.png": _with_chunk(chunk(b"pHYs", b"1")),
    "gamma cut short.png": _with_chunk(chunk(b"gAMA", b"1")),
    "colours cut short.png": _with_chunk(chunk(b"cHRM", b"1")),
    "text of garbage.png": _with_chunk(chunk(b"iTXt", b"a\0\1\5bb")),
    "transparency cut short.png": _with_chunk(chunk(b"tRNS", b"a")),
    "pixels with a wrong checksum.png": GOOD["png"][:-16] + b"abcd" + GOOD["png"][-12:],
    "no end.png": GOOD["png"][:-12],
    "16 bits and a transparent grey.png": deep(GREY, 0, KEY),
    "16 bits and a transparent colour.png": deep(quadrants(), 2, struct.pack(">HHH", 220 * 257, 30 * 257, 30 * 257)),
    "exif of garbage.jpeg": _with_segment(0xE1, b"Exif\0\0garb"),
    "profile of garbage.jpeg": _with_segment(0xE2, b"ICC_PROFILE\0\1\1garbage"),
    "pictures of garbage.jpeg": _with_segment(0xE2, b"MPF\0garbage"),
    "adobe cut short.jpeg": _with_segment(0xEE, b"Adobe"),
    "jfif cut short.jpeg": _with_segment(0xE0, b"JFIF"),
    "photoshop cut short.jpeg": _with_segment(0xED, b"Photoshop 3.0\x008BIM\x04"),
}


def corpus() -> Iterator[tuple[str, bytes]]:
    """A name, which ends with the format, and the file."""
    yield from ODD.items()
    for name, data in GOOD.items():
        yield f"whole {name}", data
        yield f"more behind {name}", data + b"hello" * 100
        yield f"garbage in front {name}", b"hello" + data
        third = len(data) * 2 // 3
        yield f"zeros at the end {name}", data[:third] + bytes(len(data) - third)
        for cut in (1, 2, 12, 40, 150):
            yield f"{cut} bytes cut from {name}", data[:-cut]
        for share in (10, 50, 75):
            yield f"first {share} % of {name}", data[: len(data) * share // 100]
