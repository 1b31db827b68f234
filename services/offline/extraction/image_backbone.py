"""A backbone and the decoder that feeds it: encoded images in, features out, without a log."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from prequel.services.extractor.backbones.base import Choice
from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.loaded_backbone import LoadedBackbone
from prequel.services.extractor.loading import BackboneLoader
from prequel.shared.config import Settings


class ImageBackbone(NamedTuple):
    """Both may be used from any thread; to be closed. ``batch`` is the maximum number of images in one inference."""

    backbone: LoadedBackbone
    decoder: Decoder
    batch: int

    def close(self) -> None:
        self.decoder.close()


def load_image_backbone(
    choice: Choice, settings: Settings, *, cache: Path, environ: Mapping[str, str], stop: threading.Event
) -> ImageBackbone:
    """Blocks, and raises, as ``BackboneLoader.load`` does."""
    backbone = LoadedBackbone(BackboneLoader(settings, cache, environ, stop).load(choice), settings.batch)
    threads = settings.decode_threads or os.cpu_count() or 1
    decoder = Decoder(max_pixels=settings.max_pixels, max_bytes=settings.max_image_bytes, threads=threads)
    return ImageBackbone(backbone, decoder, settings.batch)
