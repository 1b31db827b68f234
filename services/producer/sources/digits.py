"""scikit-learn's 1,797 scanned digits as PNG images."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from prequel.services.producer.sources.base import Entry, Item, SourceError, Survey

SIZE = 32


class Digits:
    """Handwritten digits of 43 people (UCI "Optical Recognition of Handwritten Digits", test part), white on black.

    Values 0..16 of 8x8 pixels become 0..255 of 32x32 (bicubic: what `compact` tells apart best, nearest is worst).
    """

    def __init__(self, labelled: bool = True) -> None:
        self._labelled = labelled
        self._images, self._targets = _dataset()

    def entries(self, survey: Survey) -> Iterator[Entry]:
        for number, target in enumerate(self._targets):
            entry = Entry(f"digits/{number:04d}.png", str(target) if self._labelled else None)
            survey.add(entry)
            yield entry

    def load(self, entry: Entry) -> Item:
        number = entry.name.removeprefix("digits/").removesuffix(".png")
        return Item(f"digits-{number}", entry.name, entry.label, _png(self._images[int(number)]), "image/png")


def _dataset() -> tuple[Any, Any]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise SourceError("digits needs scikit-learn: install prequel[producer]") from None
    loaded = load_digits()
    return loaded.images, loaded.target


def _png(image: Any) -> bytes:
    from PIL import Image

    scaled = Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8))
    out = io.BytesIO()
    scaled.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()
