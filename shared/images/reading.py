"""The one decoder: encoded bytes to a loaded image, within limits, as far as a viewer would show it."""

import io
import struct
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

# Imported for their registration too: it happens here, before threads do it.
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
"""What Pillow raises while it decodes a file that ends early or goes wrong in the middle."""


class Loaded(NamedTuple):
    """An image with its pixels, not yet upright; ``damaged`` where some of them were missing in the file.

    ``box`` is what it shows: a JPEG that was scaled while decoding has padding to whole pixels.
    """

    image: Image.Image
    box: Box
    damaged: bool


class ImageReader:
    """Reads on the caller's thread; large images on one of its own, so that memory does not grow with callers."""

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        self._large = ThreadPoolExecutor(1, "large-images")
        # Pillow warns of oddities in metadata that decide nothing here; its size warnings are our own limit's business.
        warnings.filterwarnings("ignore", module=r"PIL\.")

    def read(self, data: bytes, use: Callable[[Loaded], Result], near: tuple[int, int]) -> Result:
        """What ``use`` makes of the image, its first frame or page. It is of its own size, or, where that is cheaper,
        of a smaller one that is not below ``near``.

        May be called from any thread, and blocks. Raises Rejected: `too-large` or `undecodable`; nothing else, whatever
        the bytes.
        """
        check_bytes(data, self._limits)
        format = detect_format(data)
        if format is None:
            raise Rejected("undecodable", describe_unsupported(data))
        try:
            return self._read(data, format, use, near)
        except Rejected:
            raise
        except (Image.DecompressionBombError, MemoryError) as error:
            raise Rejected("too-large", str(error) or "not enough memory") from None
        except Exception as error:  # Pillow's parsers raise of everything, and these are a stranger's bytes
            raise _refused(error, format, data) from None

    def close(self) -> None:
        """Let what is being decoded finish."""
        self._large.shutdown()

    def _read(self, data: bytes, format: str, use: Callable[[Loaded], Result], near: tuple[int, int]) -> Result:
        try:
            return self._strictly(data, format, use, near)
        except _TRUNCATED as error:
            if format in _WHOLE or (isinstance(error, ValueError) and _BOMB in str(error)):
                raise
        return self._leniently(repair(data, format), format, use, near)

    def _strictly(self, data: bytes, format: str, use: Callable[[Loaded], Result], near: tuple[int, int]) -> Result:
        with open_image(data, format) as image:
            check_image(image, data, self._limits)
            return self._on_thread(image, lambda: use(_load(image, near)))

    def _leniently(self, file: Repaired, format: str, use: Callable[[Loaded], Result], near: tuple[int, int]) -> Result:
        with open_image(file.data, format) as image:
            check_image(image, file.data, self._limits)
            return self._on_thread(image, lambda: use(_load_what_is_there(image, near, file.cut)))

    def _on_thread(self, image: Image.Image, work: Callable[[], Result]) -> Result:
        return self._large.submit(work).result() if image.width * image.height > LARGE_PIXELS else work()


_WHOLE = ("WEBP", "AVIF", "HEIF")
"""Formats of which viewers show all or nothing."""
_BOMB = "Decompressed data too large"


def open_image(data: bytes, format: str) -> ImageFile:
    """The header is read, no pixels. Raises what Pillow raises."""
    if format == "HEIF":
        return HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]  # its constructor has no types
    return Image.open(io.BytesIO(data), formats=(format,))


def _load(image: ImageFile, near: tuple[int, int]) -> Loaded:
    box = _drafted(image, near)
    image.load()
    return Loaded(image, box or (0, 0, *image.size), False)


def _drafted(image: ImageFile, near: tuple[int, int]) -> Box | None:
    """JPEG only: scales by 1/2, 1/4 or 1/8 while decoding."""
    if image.format not in ("JPEG", "MPO"):
        return None
    drafted = image.draft("RGB", near)
    return drafted[1] if drafted else None


def _load_what_is_there(image: ImageFile, near: tuple[int, int], cut: bool) -> Loaded:
    """What is missing stays white, or transparent. Raises what Pillow raises where nothing at all is there."""
    if not image.tile:
        raise SyntaxError("the file ends before its pixels begin")
    box = _drafted(image, near)
    nothing, passes = _NOTHING.get(image.mode, 0), is_interlaced(image)
    image.im = Image.new(image.mode, image.size, nothing).im
    try:
        image.load()
    except _TRUNCATED:
        cut, image.tile = True, []
        if image.getextrema() == Image.new(image.mode, (1, 1), nothing).getextrema():
            raise
    if cut and passes and image.width * image.height <= LARGE_PIXELS:
        return Loaded(fill_missing(image, nothing), (0, 0, *image.size), cut)
    return Loaded(image, box or (0, 0, *image.size), cut)


_NOTHING: dict[str, int | tuple[int, ...]] = {"1": 255, "L": 255, "RGB": (255, 255, 255), "I;16": 65_535}
"""White, where a mode has no transparency to say it with."""


def _refused(error: Exception, format: str, data: bytes) -> Rejected:
    if isinstance(error, ValueError) and _BOMB in str(error):
        return Rejected("too-large", f"a {format} image whose metadata unpacks to too much: {error}")
    if isinstance(error, UnidentifiedImageError):
        return Rejected("undecodable", f"{len(data)} bytes that begin as a {format} image and go on as none")
    what = f"a {format} image that is damaged before anything of it shows"
    return Rejected("undecodable", f"{what} ({type(error).__name__}: {error}); save it again, or send another copy")
