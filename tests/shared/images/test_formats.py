"""Formats are detected by their first bytes; what is refused is described, with what to do."""

import base64
import io
import json
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.shared.events.types import Rejected
from prequel.shared.images.formats import FORMATS, detect_format
from prequel.shared.images.limits import ImageLimits
from prequel.shared.images.reading import ImageReader
from prequel.shared.images.unsupported import describe_unsupported
from tests.extractor.pictures import encoded, quadrants

JPEG = encoded(quadrants(), "JPEG")


def numpy_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros((4, 4, 3), np.uint8))
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", JPEG)
    return file.getvalue()


def tarball() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.jpg"))
    return file.getvalue()


WORDS = {
    "an empty file": b"",
    "a NumPy array": numpy_array(),
    "a Python pickle": pickle.dumps([1, 2]),
    "base64 text": base64.b64encode(JPEG),
    "base64 text: decode": base64.encodebytes(JPEG),
    "a data: URL": b"data:image/png;base64," + base64.b64encode(JPEG),
    "a web address": b"https://example.com/cat.jpg",
    "a web address, not": b"s3://bucket/cat.jpg\n",
    "a PDF": b"%PDF-1.7\n%\xe2\xe3",
    "a PostScript file": b"%!PS-Adobe-3.0",
    "an SVG drawing": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "an SVG drawing, which": b"<?xml version='1.0'?>\n<!-- made by hand -->\n<svg/>",
    "an HTML page": b"\xef\xbb\xbf\n<!DOCTYPE html><html>",
    "an XML document": b"<?xml version='1.0'?><note/>",
    "JSON text": json.dumps({"image": base64.b64encode(JPEG).decode()}).encode(),
    "JSON text: send": b"[[1, 2], [3, 4]]",
    "a ZIP archive": archive(),
    "a tar archive": tarball(),
    "a compressed file": b"\x1f\x8b\x08\0",
    "a video or sound file": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    "a video or sound file: send": b"RIFF1234AVI LIST",
    "a camera's raw file": b"II*\0\x10\0\0\0CR\x02\0",
    "a camera's raw file: develop": b"\0\0\0\x18ftypcrx \0\0\0\x01",
    "a JPEG XL image": b"\xff\x0a1234",
    "a Photoshop file": b"8BPS\0\1",
    "an icon file": encoded(quadrants(), "ICO"),
    "a portable pixmap": encoded(quadrants(), "PPM"),
    "a DICOM file": bytes(128) + b"DICM",
    "text ('hello, world' ...)": b"hello, world",
    "text ('pas une image": "pas une image: \u00e9\u00e8".encode(),
    "not an image of a known kind (it begins with 00 01 02 03)": b"\0\1\2\3",
}


@pytest.mark.parametrize("words", WORDS)
def test_what_is_not_an_image_is_described(words: str) -> None:
    data = WORDS[words]
    assert describe_unsupported(data).startswith(words)
    assert ": " in describe_unsupported(data) or ", " in describe_unsupported(data), "and what to do"
    with pytest.raises(Rejected, match="undecodable") as caught:
        ImageReader(ImageLimits(2**20, 2**20)).read(data, lambda loaded: None, (8, 8))
    assert caught.value.detail == describe_unsupported(data)


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "HEIF"])
def test_a_format_is_detected_by_its_bytes(format: str) -> None:
    assert detect_format(encoded(quadrants(), format)) == format


@pytest.mark.parametrize(
    ("brands", "format"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIF"),
        (b"mif1\0\0\0\0mif1heic", "HEIF"),
        (b"avif\0\0\0\0mif1miaf", "AVIF"),
        (b"mif1\0\0\0\0mif1avif", "AVIF"),
        (b"isom\0\0\0\0isomavc1", None),
    ],
)
def test_a_container_is_detected_by_its_brands(brands: bytes, format: str | None) -> None:
    assert detect_format((8 + len(brands)).to_bytes(4) + b"ftyp" + brands) == format


@given(st.binary(max_size=300))
def test_any_bytes_get_a_description(data: bytes) -> None:
    assert describe_unsupported(data).isprintable()
