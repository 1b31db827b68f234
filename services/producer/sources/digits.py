"""scikit-learn's 1,797 scanned digits as PNG images."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from prequel.services.producer.errors import SourceError
from prequel.services.producer.sources.base import ImageTime, LoadedImage, SourceImage, Survey

SIZE = 32


class Digits:
    """Handwritten digits of 43 people (UCI "Optical Recognition of Handwritten Digits", test part), white on black.

    Values 0..16 of 8x8 pixels become 0..255 of 32x32, enlarged bicubically: `compact` classifies these best, and those
    of the nearest pixel worst.
    """

    def __init__(self, labelled: bool = True) -> None:
        self._labelled = labelled
        self._pixels, self._digits = _load_dataset()

    def images(self, survey: Survey) -> Iterator[SourceImage]:
        for number, digit in enumerate(self._digits):
            image = SourceImage(f"digits/{number:04d}.png", str(digit) if self._labelled else None)
            survey.add(image)
            yield image

    def load(self, image: SourceImage) -> LoadedImage:
        number = image.name.removeprefix("digits/").removesuffix(".png")
        return LoadedImage(f"digits-{number}", image.name, image.label, _png(self._pixels[int(number)]), "image/png")

    def time(self, image: SourceImage) -> ImageTime | None:
        return None


def _load_dataset() -> tuple[Any, Any]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise SourceError("digits needs scikit-learn: install prequel-stream[producer]") from None
    dataset = load_digits()
    return dataset.images, dataset.target


def _png(pixels: Any) -> bytes:
    from PIL import Image

    scaled = Image.fromarray(np.rint(pixels * (255 / 16)).astype(np.uint8))
    file = io.BytesIO()
    scaled.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()
