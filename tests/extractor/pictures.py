"""Image files of every kind that the tests need, drawn and written here."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 96, 64
RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 40), (40, 60, 210), (255, 255, 255)


def quadrants(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Red, green over blue, white: no turn or mirror of it looks the same."""
    image = Image.new("RGB", (width, height))
    for colour, box in zip(
        (RED, GREEN, BLUE, WHITE),
        ((0, 0), (width // 2, 0), (0, height // 2), (width // 2, height // 2)),
        strict=True,
    ):
        image.paste(colour, (*box, box[0] + (width + 1) // 2, box[1] + (height + 1) // 2))
    return image


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def with_orientation(image: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", exif=exif, quality=95)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """What a camera stores, so that EXIF's orientation turns it into ``image`` again."""
    stored = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    for step in stored:
        image = image.transpose(step)
    return image


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth colours with some noise: JPEG and resizing treat it as they treat a photograph."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    noise = random.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8))


def png(width: int, height: int, *chunks: bytes, rows: int | None = None, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG written by hand: its header may promise more than its ``rows`` of zeros hold."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    line = b"\0" * (1 + (width * samples * depth + 7) // 8)
    body = zlib.compress(line * (height if rows is None else rows), 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def promised(format: str, width: int, height: int) -> bytes:
    """A small file whose header promises ``width`` x ``height`` pixels."""
    if format == "PNG":
        return png(width, height, rows=2)
    small = encoded(quadrants(16, 16), format)
    data = bytearray(small)
    if format == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    elif format == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif format == "JPEG":
        frame = small.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    else:
        data = bytearray(encoded(quadrants(16, 16), "WEBP", save_all=True, append_images=[Image.new("RGB", (16, 16))]))
        canvas = data.index(b"VP8X") + 12
        data[canvas : canvas + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)
