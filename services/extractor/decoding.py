"""Decoding: encoded image bytes to an array of a backbone's size, on a pool of threads."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from prequel.shared.images.colours import to_plain_mode, upright
from prequel.shared.images.limits import ImageLimits
from prequel.shared.images.reading import ImageReader, Loaded

Pixels = npt.NDArray[np.uint8]


class Decoded(NamedTuple):
    """RGB uint8 [size, size, 3]; whether a part of the file was missing; the seconds of a thread that decoding took."""

    pixels: Pixels
    damaged: bool
    seconds: float


class Decoder:
    """Decodes on a pool of threads. ``decode`` and ``submit`` may be called from any thread."""

    def __init__(self, *, max_pixels: int, max_bytes: int, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "decoder")
        self._reader = ImageReader(ImageLimits(max_bytes, max_pixels))

    def submit(self, data: bytes, size: int) -> "Future[Decoded]":
        """Decode in the background; the future raises what ``decode`` raises. Does not block."""
        return self._pool.submit(self._timed, data, size)

    def decode(self, data: bytes, size: int) -> Pixels:
        """The image as a viewer shows it, resized to [size, size, 3] RGB uint8, transparent parts white.

        Upright by EXIF; the first frame of an animation; bilinear with antialiasing, as Keras's `load_img` has it with
        `interpolation="bilinear"`. Raises Rejected, `too-large` or `undecodable`, and nothing else, whatever the bytes.
        """
        return self._read(data, size)[0]

    def close(self) -> None:
        """Finish the images that are being decoded, and cancel those that wait."""
        self._pool.shutdown(cancel_futures=True)
        self._reader.close()

    def _timed(self, data: bytes, size: int) -> Decoded:
        begin = time.perf_counter()
        pixels, damaged = self._read(data, size)
        return Decoded(pixels, damaged, time.perf_counter() - begin)

    def _read(self, data: bytes, size: int) -> tuple[Pixels, bool]:
        # A JPEG may be decoded at a fraction of its size, but not below this: with less left to average, edges alias.
        enough = size * 3 // 2, size * 3 // 2
        return self._reader.read(data, lambda loaded: (_resize(loaded, size), loaded.damaged), enough)


def _resize(loaded: Loaded, size: int) -> Pixels:
    whole = to_plain_mode(loaded.image)
    small = upright(whole.resize((size, size), Image.Resampling.BILINEAR, loaded.box, reducing_gap=3.0), loaded.image)
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return np.array(small.convert("RGB"))
