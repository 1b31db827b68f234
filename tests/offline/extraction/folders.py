"""Folders of images for the tests of extraction, and what extracts them by their mean colour."""

import threading
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.loaded_backbone import LoadedBackbone
from prequel.services.offline.extraction.file_extraction import ExtractedFile, extract_to_file
from prequel.services.offline.extraction.image_backbone import ImageBackbone
from prequel.services.offline.extraction.image_source import ImageSource, open_image_source
from tests.extractor.feeding import MeanColour
from tests.extractor.pictures import encoded, photograph

BATCH = 4


def jpeg(seed: int) -> bytes:
    return encoded(photograph(40, 30, seed), "JPEG")


def make_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def class_folder(root: Path, count: int = 10) -> Path:
    """``count`` photographs, half of them of each of two classes."""
    return make_folder(root, {f"{'cat' if n % 2 else 'dog'}/{n}.jpg": jpeg(n) for n in range(count)})


def opened(
    root: Path, *, labels: str | None = None, order: str | None = None, stop: threading.Event | None = None
) -> ImageSource:
    return open_image_source(str(root), labels=labels, order=order, shuffle=None, stop=stop or threading.Event())


def mean_colour(backbone: MeanColour | None = None) -> ImageBackbone:
    decoder = Decoder(max_pixels=10**6, max_bytes=10**6, threads=2)
    return ImageBackbone(LoadedBackbone(backbone or MeanColour(), BATCH), decoder, BATCH)


def extract(
    source: ImageSource,
    path: Path,
    *,
    backbone: MeanColour | None = None,
    replace: bool = False,
    stop: threading.Event | None = None,
) -> ExtractedFile:
    images = mean_colour(backbone)
    try:
        return extract_to_file(
            source,
            images,
            path,
            replace=replace,
            console=Console(quiet=True),
            stop=stop or threading.Event(),
            clock=lambda: 0.0,
        )
    finally:
        images.close()
