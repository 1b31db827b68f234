"""Converts decoded images to one of three modes (L, RGB, RGBA), and turns them upright by their EXIF."""

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

_TRANSPOSED = 0x0112  # EXIF's Orientation
_TURNS: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_plain_mode(image: Image.Image) -> Image.Image:
    """The image in L, RGB or RGBA: in other modes (palettes, CMYK, 16 bits) resizing would mix indices, not colours."""
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image)
    if image.mode in ("L", "RGB", "RGBA") and "transparency" not in image.info:
        return image
    transparent = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    return image.convert("RGBA" if transparent else "L" if image.mode == "1" else "RGB")


def upright(small: Image.Image, image: Image.Image) -> Image.Image:
    """Turn ``small``, made of ``image``, by the EXIF of ``image``. Unreadable EXIF turns nothing, as in a viewer.

    Turning after resizing costs a fraction of turning before.
    """
    try:
        orientation = image.getexif().get(_TRANSPOSED)
    except (SyntaxError, ValueError, TypeError, OSError, struct.error, LookupError, OverflowError):
        return small
    method = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return small if method is None else small.transpose(method)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey in eight bits: the upper eight of 16; of 32 bits or fractions, darkest to lightest become 0 to 255."""
    values: npt.NDArray[Any] = np.asarray(image)
    if not image.mode.startswith("I;16"):
        return Image.fromarray(_stretched(values))
    grey = Image.fromarray((values >> 8).astype(np.uint8))  # Not ``convert``: it would clip everything above 255.
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey
    grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey.convert("RGBA")


def _stretched(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    # Without NaN and infinity: one such pixel would make all others black.
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    return np.asarray((finite - low) * (255.0 / (high - low) if high > low else 0.0), np.uint8)
