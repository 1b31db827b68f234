"""Interlaced images that end early: coarse pixels stand in for the finer ones that are missing, as in a viewer."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile

_STEPS = {"PNG": ((2, 1), (2, 2), (4, 2), (4, 4), (8, 4), (8, 8)), "GIF": ((2, 1), (4, 1), (8, 1))}
"""Rows and columns between the pixels of each pass but the last, the finest first."""


def is_interlaced(image: ImageFile) -> bool:
    """Asked before it is loaded."""
    if image.format == "GIF":
        return bool(image.tile and isinstance(image.tile[0].args, tuple) and image.tile[0].args[1])
    return image.format == "PNG" and bool(image.info.get("interlace"))


def fill_missing(image: ImageFile, nothing: int | tuple[int, ...]) -> Image.Image:
    """What still is ``nothing``, as all was before it was loaded, is taken from a coarser pass that has it."""
    pixels: npt.NDArray[Any] = np.array(image)
    missing = pixels == np.asarray(Image.new(image.mode, (1, 1), nothing))[0, 0]
    if missing.ndim == 3:
        missing = missing.all(axis=2)
    rows, columns = np.arange(image.height), np.arange(image.width)
    for height, width in _STEPS[image.format or ""]:
        place = np.ix_(rows // height * height, columns // width * width)
        take = missing & ~missing[place]
        pixels[take] = pixels[place][take]
        missing &= ~take
    return _like(image, pixels)


def _like(image: Image.Image, pixels: npt.NDArray[Any]) -> Image.Image:
    """The pixels in the image's mode, with its palette and what is known of it."""
    like = Image.frombytes(image.mode, image.size, pixels.tobytes())
    if image.palette is not None:
        like.putpalette(image.palette.getdata()[1], image.palette.mode)
    like.info = dict(image.info)
    return like
