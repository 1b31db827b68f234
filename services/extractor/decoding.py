"""Decoding: encoded image bytes to an array of the backbone's size, within limits checked before allocation."""

import io
import re
import struct
import time
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError, WebPImagePlugin  # noqa: F401  # registers WebP before threads do

from shared.events import Rejected

Pixels = npt.NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
MOST_SCANS = 100
"""Scans of a progressive JPEG: encoders write about ten; each of thousands costs a pass over every pixel."""
LARGE_PIXELS = 16_000_000
"""Images above this are decoded by one thread, so that memory, and what malloc keeps, does not grow with threads."""

_TRANSPOSED = 0x0112  # EXIF's Orientation
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


class Decoded(NamedTuple):
    """RGB uint8 [size, size, 3], and the seconds of one thread that it took."""

    pixels: Pixels
    seconds: float


class Decoder:
    """Decodes on a pool of threads. ``decode`` and ``submit`` may be called from any thread."""

    def __init__(self, size: int, *, max_pixels: int, max_bytes: int, threads: int) -> None:
        self._size, self._max_pixels, self._max_bytes = size, max_pixels, max_bytes
        self._pool = ThreadPoolExecutor(threads, "decoder")
        self._large = ThreadPoolExecutor(1, "large-decoder")
        # Pillow warns of oddities in metadata that decide nothing here; its size warnings are our own limit's business.
        warnings.filterwarnings("ignore", module=r"PIL\.")

    def submit(self, data: bytes) -> "Future[Decoded]":
        """Decode in the background; the future raises what ``decode`` raises. Does not block."""
        return self._pool.submit(self._timed, data)

    def decode(self, data: bytes) -> Pixels:
        """The image as a viewer would show it, squeezed to [size, size, 3] RGB uint8 on white.

        Upright by EXIF; the first frame of an animation; bilinear with antialiasing, as Keras's `load_img` has it with
        `interpolation="bilinear"`. Raises Rejected: `too-large` or `undecodable`; nothing else, whatever the bytes.
        """
        if len(data) > self._max_bytes:
            raise Rejected("too-large", f"{len(data)} bytes; PREQUEL_MAX_IMAGE_BYTES is {self._max_bytes}")
        try:
            return self._read(data)
        except Rejected:
            raise
        except (Image.DecompressionBombError, MemoryError) as error:
            raise Rejected("too-large", str(error) or "not enough memory") from None
        except UnidentifiedImageError:
            raise Rejected("undecodable", f"no image of {', '.join(FORMATS)}") from None
        except Exception as error:  # Pillow's parsers raise of everything, and these are a stranger's bytes
            bomb = "Decompressed data too large" in str(error)
            raise Rejected("too-large" if bomb else "undecodable", f"{type(error).__name__}: {error}") from None

    def close(self) -> None:
        """Let what is being decoded finish, forget what waits."""
        self._pool.shutdown(cancel_futures=True)
        self._large.shutdown()

    def _timed(self, data: bytes) -> Decoded:
        begin = time.perf_counter()
        return Decoded(self.decode(data), time.perf_counter() - begin)

    def _read(self, data: bytes) -> Pixels:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            pixels = image.width * image.height
            if pixels > self._max_pixels:
                size = f"{image.width} x {image.height}"
                raise Rejected("too-large", f"{size} pixels; PREQUEL_MAX_PIXELS is {self._max_pixels}")
            if image.format in ("JPEG", "MPO") and _scans(data) > MOST_SCANS:
                raise Rejected("too-large", f"a JPEG of more than {MOST_SCANS} scans")
            if pixels > LARGE_PIXELS:
                return self._large.submit(_squared, image, self._size).result()
            return _squared(image, self._size)


def _scans(data: bytes) -> int:
    """The scans of a JPEG, or one above the limit; what is inside a segment or after its end does not count.

    Markers and segments as in ITU-T T.81, annex B.
    """
    count, place = 0, 2
    while count <= MOST_SCANS and (marker := _MARKER.search(data, place)):
        kind, place = data[marker.start() + 1], marker.end()
        if kind == _END_OF_IMAGE:
            break
        count += kind == _START_OF_SCAN
        place += int.from_bytes(data[place : place + 2])
    return count


def _squared(image: Image.Image, size: int) -> Pixels:
    # JPEG only: scales by 1/2, 1/4 or 1/8 while decoding. The box is what it gives without the padding to whole pixels.
    drafted = image.draft("RGB", (size * 3 // 2, size * 3 // 2))
    image.load()
    plain = _plain(image)
    box = drafted[1] if drafted else (0, 0, *plain.size)
    small = _upright(plain.resize((size, size), Image.Resampling.BILINEAR, box, reducing_gap=3.0), image)
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return np.array(small.convert("RGB"))


def _plain(image: Image.Image) -> Image.Image:
    """The image in L, RGB or RGBA: the modes that resize as light does."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # 16 bits; `convert` would clip
    if image.mode in ("L", "RGB", "RGBA") and "transparency" not in image.info:
        return image
    transparent = "transparency" in image.info or image.mode in ("LA", "PA", "RGBA")
    return image.convert("RGBA" if transparent else "L" if image.mode == "1" else "RGB")


def _upright(small: Image.Image, image: Image.Image) -> Image.Image:
    """Turn the small image by the EXIF of the large one; unreadable EXIF turns nothing, as in a viewer."""
    try:
        orientation = image.getexif().get(_TRANSPOSED)
    except (SyntaxError, ValueError, TypeError, OSError, struct.error, LookupError, OverflowError):
        return small
    method = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return small if method is None else small.transpose(method)


_TURNS: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
