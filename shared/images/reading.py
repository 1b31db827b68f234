"""The one decoder of images: encoded bytes to a loaded image, within limits, as far as a viewer would show it."""

import io
import struct
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, NamedTuple, TypeVar

# Some are imported only to register themselves with Pillow: here, and not when threads first need them.
from PIL import AvifImagePlugin, Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401
from PIL.ImageFile import ImageFile
from pillow_heif import HeifImageFile

from prequel.shared.events.types import Rejected
from prequel.shared.images.formats import detect_format
from prequel.shared.images.interlaced import fill_missing, is_interlaced
from prequel.shared.images.limits import LARGE_PIXELS, ImageLimits, check_bytes, check_image
from prequel.shared.images.repair import Repaired, repair
from prequel.shared.images.unsupported import describe_unsupported

Result = TypeVar("Result")
Box = tuple[float, float, float, float]

_TRUNCATED = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)
"""What Pillow raises while it decodes a file that ends early or is damaged in the middle."""


class Loaded(NamedTuple):
    """An image with its pixels, not yet upright; ``damaged`` if some of them were missing in the file.

    ``box`` is the part that shows the image: a JPEG scaled while decoding has padding to whole pixels.
    """

    image: Image.Image
    box: Box
    damaged: bool


class ImageReader:
    """Decodes on the caller's thread; large images on a single thread of its own (see LARGE_PIXELS)."""

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        self._large = ThreadPoolExecutor(1, "large-images")
        # Pillow warns of oddities in metadata, which change nothing here, and of sizes, for which we have limits.
        warnings.filterwarnings("ignore", module=r"PIL\.")

    def read(self, data: bytes, use: Callable[[Loaded], Result], min_size: tuple[int, int]) -> Result:
        """Decode the first frame or page, and return what ``use`` makes of it.

        The image has its own size or, where that is cheaper, a smaller one of at least ``min_size`` (width, height).
        Safe from any thread; blocks. Raises Rejected (`too-large` or `undecodable`) and nothing else, whatever the
        bytes.
        """
        check_bytes(data, self._limits)
        format = detect_format(data)
        if format is None:
            raise Rejected("undecodable", describe_unsupported(data))
        try:
            return self._read(data, format, use, min_size)
        except Rejected:
            raise
        except (Image.DecompressionBombError, MemoryError) as error:
            raise Rejected("too-large", str(error) or "not enough memory") from None
        except Exception as error:  # Pillow's parsers may raise anything, and these are a stranger's bytes.
            raise _rejection(error, format, data) from None

    def close(self) -> None:
        """Wait for the images that are being decoded."""
        self._large.shutdown()

    def _read(self, data: bytes, format: str, use: Callable[[Loaded], Result], min_size: tuple[int, int]) -> Result:
        try:
            return self._read_strictly(data, format, use, min_size)
        except _TRUNCATED as error:
            if format in _WHOLE or (isinstance(error, ValueError) and _BOMB in str(error)):
                raise
        return self._read_leniently(repair(data, format), format, use, min_size)

    def _read_strictly(
        self, data: bytes, format: str, use: Callable[[Loaded], Result], min_size: tuple[int, int]
    ) -> Result:
        with open_image(data, format) as image:
            check_image(image, data, self._limits)
            return self._on_thread(image, lambda: use(_load(image, min_size)))

    def _read_leniently(
        self, file: Repaired, format: str, use: Callable[[Loaded], Result], min_size: tuple[int, int]
    ) -> Result:
        with open_image(file.data, format) as image:
            check_image(image, file.data, self._limits)
            return self._on_thread(image, lambda: use(_load_partly(image, min_size, file.truncated)))

    def _on_thread(self, image: Image.Image, work: Callable[[], Result]) -> Result:
        return self._large.submit(work).result() if image.width * image.height > LARGE_PIXELS else work()


_WHOLE = ("WEBP", "AVIF", "HEIF")
"""Formats of which viewers show everything or nothing: there is no point in repairing them."""
_BOMB = "Decompressed data too large"


def open_image(data: bytes, format: str) -> ImageFile:
    """Read the header, no pixels. Raises what Pillow raises."""
    return open_file(io.BytesIO(data), format)


def open_file(file: IO[bytes], format: str) -> ImageFile:
    """As ``open_image``, from a file: of most formats only its begin is read."""
    if format == "HEIF":
        return HeifImageFile(file)  # type: ignore[no-untyped-call]  # its constructor has no types
    return Image.open(file, formats=(format,))


def _load(image: ImageFile, min_size: tuple[int, int]) -> Loaded:
    box = _draft(image, min_size)
    image.load()
    return Loaded(image, box or (0, 0, *image.size), False)


def _draft(image: ImageFile, min_size: tuple[int, int]) -> Box | None:
    """JPEG only: scale by 1/2, 1/4 or 1/8 while decoding, which costs as much less. The part that shows the image."""
    if image.format not in ("JPEG", "MPO"):
        return None
    draft = image.draft("RGB", min_size)
    return draft[1] if draft else None


def _load_partly(image: ImageFile, min_size: tuple[int, int], truncated: bool) -> Loaded:
    """Missing pixels stay white, or transparent. Raises what Pillow raises if there are no pixels at all."""
    if not image.tile:
        raise SyntaxError("the file ends before its pixels begin")
    box = _draft(image, min_size)
    missing_pixel, passes = _MISSING_PIXEL.get(image.mode, 0), is_interlaced(image)
    image.im = Image.new(image.mode, image.size, missing_pixel).im
    try:
        image.load()
    except _TRUNCATED:
        truncated, image.tile = True, []
        if image.getextrema() == Image.new(image.mode, (1, 1), missing_pixel).getextrema():
            raise
    if truncated and passes and image.width * image.height <= LARGE_PIXELS:
        return Loaded(fill_missing(image, missing_pixel), (0, 0, *image.size), truncated)
    return Loaded(image, box or (0, 0, *image.size), truncated)


_MISSING_PIXEL: dict[str, int | tuple[int, ...]] = {"1": 255, "L": 255, "RGB": (255, 255, 255), "I;16": 65_535}
"""The value of missing pixels: white in modes without transparency, else 0."""


def _rejection(error: Exception, format: str, data: bytes) -> Rejected:
    if isinstance(error, ValueError) and _BOMB in str(error):
        return Rejected("too-large", f"a {format} image whose metadata unpacks to too much: {error}")
    if isinstance(error, UnidentifiedImageError):
        return Rejected("undecodable", f"{len(data)} bytes that begin like a {format} image but are not one")
    what = f"a {format} image that is damaged before anything of it shows"
    return Rejected("undecodable", f"{what} ({type(error).__name__}: {error}); save it again, or send another copy")
