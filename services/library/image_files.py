"""What may be sent as an image: a path, encoded bytes, a Pillow image or an array of pixels; each encoded here."""

import io
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps

from prequel.services.producer.errors import SourceError
from prequel.shared.images.formats import detect_format, media_type
from prequel.shared.images.unsupported import describe_unsupported

Image = str | os.PathLike[str] | bytes | PIL.Image.Image | npt.NDArray[Any]
"""A path, the bytes of an encoded file, a Pillow image, or an array of uint8: [height, width] for grey, or
[height, width, 3 or 4]."""
IMAGE_TYPES = (str, os.PathLike, bytes, PIL.Image.Image, np.ndarray)
"""The type of one image; anything else that a call for many takes is a collection of them."""

FASTEST = 1
"""Compression of PNG: the highest takes twenty times as long for a third less, and a gateway is rarely far."""

PNG_MODES = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA")
"""Kinds of pixels that a PNG has, by Pillow's names. The others (CMYK, YCbCr, F, ...) are converted."""


class EncodedImage(NamedTuple):
    """The bytes of an image file; ``name`` says in messages which it is."""

    name: str
    data: bytes
    content_type: str


def encoded(image: Image, name: str = "the image") -> EncodedImage:
    """The image as a file: paths and bytes as they are, pixels as PNG, without loss. Raises SourceError.

    >>> import numpy
    >>> encoded(numpy.zeros((28, 28), "uint8")).content_type
    'image/png'
    """
    if isinstance(image, str | os.PathLike):
        return _checked(str(image), _read(Path(image)))
    if isinstance(image, bytes):
        return _checked(name, image)
    drawn = PIL.ImageOps.exif_transpose(image) if isinstance(image, PIL.Image.Image) else _drawn(image, name)
    return EncodedImage(name, _png(drawn), "image/png")


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():  # Reading a pipe would block.
            raise OSError(f"{path} is not a regular file" if path.exists() else f"{path} does not exist")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from None


def _checked(name: str, data: bytes) -> EncodedImage:
    format = detect_format(data)
    if format is None:
        raise SourceError(f"{name} is {describe_unsupported(data)}")
    return EncodedImage(name, data, media_type(format))


def _drawn(pixels: npt.NDArray[Any], name: str) -> PIL.Image.Image:
    if pixels.dtype != np.uint8:
        raise SourceError(
            f"{name} is an array of {pixels.dtype}: pixels are uint8, 0 to 255, as in "
            "(pixels * (255 / pixels.max())).astype('uint8')"
        )
    if pixels.size == 0 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise SourceError(
            f"{name} is an array of shape {list(pixels.shape)}: one image is [height, width] or "
            "[height, width, 3 or 4]; several are a list of such arrays, as in list(array)"
        )
    return PIL.Image.fromarray(np.ascontiguousarray(pixels))


def _png(image: PIL.Image.Image) -> bytes:
    file = io.BytesIO()
    drawn = image if image.mode in PNG_MODES else image.convert("RGB")
    drawn.save(file, "PNG", compress_level=FASTEST)
    return file.getvalue()
