"""The pictures of a report: thumbnails of the images that an evaluation read, where they still are."""

import re
from pathlib import Path
from typing import Protocol

from prequel.services.producer.errors import SourceError
from prequel.services.producer.sources.base import SourceImage
from prequel.services.producer.sources.digits import Digits
from prequel.services.producer.sources.image_files import looks_like_image, read_image
from prequel.shared.events.types import Rejected
from prequel.shared.images.limits import ImageLimits
from prequel.shared.images.reading import ImageReader
from prequel.shared.images.thumbnails import thumbnail

SIDE = 160
"""Pixels of a thumbnail: sharp on most screens at the size of a tile, and 100 of them are half a megabyte of report."""
_DIGIT = re.compile(r"digits/\d{4}\.png")


class Pictures(Protocol):
    """What images look like, by their names in the source."""

    def thumbnail(self, name: str) -> bytes | None:
        """A small PNG or JPEG; None where there is no such image any more, or none that can be decoded. Blocks."""
        ...


class NoPictures:
    """Of features that were made elsewhere there are no images."""

    def thumbnail(self, name: str) -> bytes | None:
        return None


class SourcePictures:
    """The images of a folder, or scikit-learn's digits where ``folder`` is empty. To be closed."""

    def __init__(self, folder: str, limits: ImageLimits) -> None:
        self._folder, self._reader = folder, ImageReader(limits)
        self._digits: Digits | None = None

    def thumbnail(self, name: str) -> bytes | None:
        try:
            data = self._load(SourceImage(name, None))
            return data and thumbnail(data, SIDE, self._reader).data
        except (OSError, ValueError, SourceError, Rejected):  # ValueError: a name with a null byte, of a strange table.
            return None

    def close(self) -> None:
        """Wait for the images that are being decoded."""
        self._reader.close()

    def _load(self, image: SourceImage) -> bytes | None:
        if self._folder:
            return read_image(Path(self._folder) / image.name, image).data if looks_like_image(image.name) else None
        return self._digit(image) if _DIGIT.fullmatch(image.name) else None

    def _digit(self, image: SourceImage) -> bytes | None:
        self._digits = self._digits or Digits(labelled=False)
        try:
            return self._digits.load(image).data
        except IndexError:
            return None
