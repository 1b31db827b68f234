"""HEIC, AVIF and TIFF: shown upright, first page only, within the same limits."""

import io
import subprocess
import sys
import textwrap
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from PIL import Image, TiffImagePlugin

from prequel.shared.events.types import Rejected
from prequel.shared.images.colours import to_plain_mode, upright
from prequel.shared.images.formats import detect_format
from prequel.shared.images.limits import MAX_SCANS, ImageLimits
from prequel.shared.images.reading import ImageReader
from tests.extractor.pictures import BLUE, GREEN, RED, WHITE, encoded, photograph, quadrants, turned

READER = ImageReader(ImageLimits(2**20, 100_000))


def heic(image: Image.Image, exif: bytes | None = None) -> bytes:
    """As a phone writes it: stored as the sensor saw it, with the turn in `irot`, and in EXIF, which does not count."""
    file = io.BytesIO()
    pillow_heif.encode(image.mode, image.size, image.tobytes(), file, quality=90, exif=exif)
    return file.getvalue()


def shown(data: bytes) -> npt.NDArray[np.uint8]:
    return READER.read(
        data,
        lambda loaded: np.asarray(upright(to_plain_mode(loaded.image), loaded.image).convert("RGB")),
        (10_000, 10_000),
    )


def corners(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    height, width = pixels.shape[0] // 4, pixels.shape[1] // 4
    places = (height, width), (height, -width), (-height, width), (-height, -width)
    return np.array([pixels[place] for place in places]).astype(int)


def reason(data: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        shown(data)
    return caught.value.reason


def test_heic() -> None:
    data = heic(quadrants())
    assert detect_format(data) == "HEIF"
    assert np.abs(corners(shown(data)) - (RED, GREEN, BLUE, WHITE)).max() <= 20


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["AVIF", "TIFF", "HEIC"])
def test_orientation(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = turned(quadrants(), orientation)
    data = heic(stored, exif.tobytes()) if format == "HEIC" else encoded(stored, format, exif=exif)
    assert np.abs(corners(shown(data)) - (RED, GREEN, BLUE, WHITE)).max() <= 20


@pytest.mark.parametrize(
    "compression",
    [None, "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"],
)
def test_tiff_in_every_compression(compression: str | None) -> None:
    data = encoded(quadrants(), "TIFF", compression=compression)
    assert np.abs(corners(shown(data)) - (RED, GREEN, BLUE, WHITE)).max() <= 20


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_tiff_in_every_mode(mode: str) -> None:
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1)))
    if mode in ("I;16", "I"):
        ramp = Image.fromarray(np.asarray(ramp).astype(np.uint16 if mode == "I;16" else np.int32) * 257)
    else:
        ramp = ramp.convert(mode)
    pixels = shown(encoded(ramp, "TIFF"))
    assert pixels[:, :20].mean() < 60
    assert pixels[:, -20:].mean() > 190


def test_only_the_first_page_counts() -> None:
    more = [Image.new("RGB", (90, 60), "black"), Image.new("RGB", (2_000, 2_000), "black")]
    data = encoded(quadrants(), "TIFF", save_all=True, append_images=more, compression="tiff_lzw")
    assert np.abs(corners(shown(data)) - (RED, GREEN, BLUE, WHITE)).max() <= 2


@pytest.mark.parametrize("make", [heic, lambda image: encoded(image, "AVIF"), lambda image: encoded(image, "TIFF")])
def test_more_pixels_than_allowed(make: Callable[[Image.Image], bytes]) -> None:
    assert shown(make(Image.new("L", (400, 250)))).shape == (250, 400, 3)
    assert reason(make(Image.new("L", (400, 251)))) == "too-large"


@pytest.mark.parametrize("make", [heic, lambda image: encoded(image, "AVIF"), lambda image: encoded(image, "TIFF")])
def test_cut_anywhere_is_shown_or_refused(make: Callable[[Image.Image], bytes]) -> None:
    data = make(photograph(96, 64))
    for length in range(12, len(data), max(1, len(data) // 30)):
        try:
            assert shown(data[:length]).shape == (64, 96, 3)
        except Rejected as rejected:
            assert rejected.reason in ("undecodable", "too-large"), rejected  # noqa: PT017  # either is right here


def test_a_tiff_of_a_jpeg_of_very_many_scans() -> None:
    """The limit of scans holds for a JPEG in a TIFF as it does for one of its own."""
    jpeg = encoded(photograph(64, 64), "JPEG", progressive=True)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    bomb = jpeg[:-2] + scan * MAX_SCANS + b"\xff\xd9"
    assert reason(in_tiff(bomb)) == "too-large"


def in_tiff(jpeg: bytes) -> bytes:
    """A TIFF of one strip, which is this JPEG of 64 x 64 pixels."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    values = {256: 64, 257: 64, 258: (8, 8, 8), 259: 7, 262: 6, 273: 4096, 277: 3, 278: 64, 279: len(jpeg)}
    for tag, value in values.items():
        tags[tag] = value
    file = io.BytesIO()
    file.write(b"II*\0\x08\0\0\0")
    tags.save(file)
    return file.getvalue().ljust(4096, b"\0") + jpeg


def test_memory_stays_bounded_whatever_a_header_promises() -> None:
    """In a process of its own: the highest resident size in KiB before and after bombs of many million pixels."""
    bombs = [encoded(Image.new("1", (12_000, 12_000)), "TIFF", compression="group4")]
    bombs += [encoded(Image.new("L", (3_000, 3_000)), "AVIF", speed=10), heic(Image.new("L", (3_000, 3_000)))]
    code = """
        import resource, sys
        from prequel.shared.events.types import Rejected
        from prequel.shared.images.limits import ImageLimits
        from prequel.shared.images.reading import ImageReader

        bombs = [bytes.fromhex(line) for line in sys.stdin.read().split()]
        reader = ImageReader(ImageLimits(2**24, 1_000_000))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for bomb in bombs:
            try:
                reader.read(bomb, lambda loaded: None, (32, 32))
            except Rejected as rejected:
                print(rejected.reason)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    lines = "\n".join(bomb.hex() for bomb in bombs)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], input=lines, capture_output=True, check=True, text=True
    )
    *reasons, grown = done.stdout.split()
    assert reasons == ["too-large"] * 3
    assert int(grown) < 30_000
