"""Interlaced images that end early: missing fine pixels are filled from the coarse passes, as in a viewer."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile

_STEPS = {"PNG": ((2, 1), (2, 2), (4, 2), (4, 4), (8, 4), (8, 8)), "GIF": ((2, 1), (4, 1), (8, 1))}
"""Rows and columns between the pixels of each pass but the last, the finest first (PNG: Adam7; GIF: four passes)."""


def is_interlaced(image: ImageFile) -> bool:
    """Whether the image has passes from coarse to fine. To be asked before it is loaded: Pillow then forgets it."""
    if image.format == "GIF":
        return bool(image.tile and isinstance(image.tile[0].args, tuple) and image.tile[0].args[1])
    return image.format == "PNG" and bool(image.info.get("interlace"))


def fill_missing(image: ImageFile, nothing: int | tuple[int, ...]) -> Image.Image:
    """Fill pixels that still are ``nothing``, as all were before loading, from the finest pass that has them."""
    pixels: npt.NDArray[Any] = np.array(image)
    missing = pixels == np.asarray(Image.new(image.mode, (1, 1), nothing))[0, 0]
    if missing.ndim == 3:
        missing = missing.all(axis=2)
    rows, columns = np.arange(image.height), np.arange(image.width)
    for height, width in _STEPS[image.format or ""]:
        place = np.ix_(rows // height * height, columns // width * width)
        available = missing & ~missing[place]
        pixels[available] = pixels[place][available]
        missing &= ~available
    return _like(image, pixels)


def _like(image: Image.Image, pixels: npt.NDArray[Any]) -> Image.Image:
    """An image of these pixels with the mode, palette and metadata of ``image``."""
    like = Image.frombytes(image.mode, image.size, pixels.tobytes())
    if image.palette is not None:
        like.putpalette(image.palette.getdata()[1], image.palette.mode)
    like.info = dict(image.info)
    return like
