"""An extractor for one stream and one backbone, whatever backbone the stream has."""

import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from prequel.services.extractor.backbone_pool import BackbonePool
from prequel.services.extractor.backbones.base import Choice
from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.extractor import Decrypt, ExtractorProcessor
from prequel.services.extractor.loading import BackboneLoader
from prequel.shared.config import Settings
from prequel.shared.runtime.metrics import Metrics


class OneBackbone:
    """StreamSpecs: every stream has the backbone ``id``."""

    def __init__(self, id: str) -> None:
        self._id = id

    def of(self, streams: Iterable[str]) -> Mapping[str, str]:
        """As StreamSpecs has it."""
        return dict.fromkeys(streams, self._id)


def load_extractor(
    choice: Choice,
    settings: Settings,
    *,
    cache: Path,
    environ: Mapping[str, str],
    metrics: Metrics,
    decrypt: Decrypt,
    stop: threading.Event,
) -> tuple[ExtractorProcessor, str]:
    """The extractor, which infers a batch as soon as it is asked to, and the backbone's id. Close it.

    Blocks while the backbone is loaded; raises what ``extractor.create`` does.
    """
    loader = BackboneLoader(settings, cache, environ, stop)
    pool = BackbonePool(loader.load, max_loaded=1, batch=settings.batch)
    backbone = pool.wait(choice)
    threads = settings.decode_threads or os.cpu_count() or 1
    processor = ExtractorProcessor(
        pool,
        OneBackbone(backbone.id),
        Decoder(max_pixels=settings.max_pixels, max_bytes=settings.max_image_bytes, threads=threads),
        choose=lambda spec: choice,
        batch=settings.batch,
        batch_wait=0.0,
        metrics=metrics,
        decrypt=decrypt,
    )
    return processor, backbone.id
