"""What a caller may give as an image: the same picture in every form, and what is none with the reason."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from prequel.services.library.image_files import encoded
from prequel.services.producer.errors import SourceError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)


def pixels_of(data: bytes) -> npt.NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[:, :, 0], np.dstack([PIXELS, PIXELS[:, :, 0]]), PIXELS[::-1, ::2]])
def test_pixels_arrive_as_they_are(pixels: npt.NDArray[Any]) -> None:
    for image in (pixels, Image.fromarray(np.ascontiguousarray(pixels))):
        file = encoded(image)
        assert file.content_type == "image/png"
        assert np.array_equal(pixels_of(file.data), pixels)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "F", "HSV", "LAB"])
def test_a_pillow_image_of_any_kind_becomes_a_file(mode: str) -> None:
    made = (
        Image.new(mode, (3, 2))
        if mode == "I;16"
        else Image.fromarray(PIXELS).convert("L").convert(mode)
        if mode in ("1", "LA", "P", "F", "CMYK")
        else Image.new(mode, (3, 2))
    )
    assert pixels_of(encoded(made).data).shape[:2] == (made.height, made.width)


def test_a_turned_photograph_is_sent_upright_as_its_file_would_be_seen() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: the camera was turned.
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", exif=exif)
    assert pixels_of(encoded(Image.open(file)).data).shape == (5, 6, 3)


def test_files_and_bytes_are_sent_as_they_are(tmp_path: Path) -> None:
    path, file = tmp_path / "a.webp", io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG")
    path.write_bytes(file.getvalue())
    for image in (path, str(path), file.getvalue()):
        assert encoded(image)[1:] == (file.getvalue(), "image/jpeg")


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (PIXELS / 255, r"^the image is an array of float64: pixels are uint8, 0 to 255, as in "),
        (PIXELS > 9, r"^the image is an array of bool: "),
        (PIXELS[None], r"shape \[1, 6, 5, 3\]: .*several are a list of such arrays, as in list\(array\)"),
        (PIXELS[:, :, :2], r"shape \[6, 5, 2\]"),
        (PIXELS[:0], r"shape \[0, 5, 3\]"),
        (b"", r"^the image is an empty file"),
        (b"\x93NUMPY" + bytes(90), r"^the image is a NumPy array \(\.npy\), not an encoded image"),
        ("https://example.org/cat.jpg", r"cannot be read: .*does not exist"),
        ("/", r"^/ cannot be read: / is not a regular file"),
    ],
)
def test_what_is_no_image_says_why(image: Any, problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        encoded(image)
