"""Features of one image on demand, without an event, with the backbone and the decoder of the stream."""

import threading
from collections.abc import Callable

from prequel.services.extractor.backbone_pool import BackbonePool, BackboneUnavailable
from prequel.services.extractor.backbones.base import Choice, Images, OutOfMemory
from prequel.services.extractor.engines.conversion import ConversionInterrupted
from prequel.services.extractor.loaded_backbone import LoadedBackbone
from prequel.shared.config import ConfigError
from prequel.shared.extraction import ExtractorUnavailable
from prequel.shared.runtime.deadlines import BACKBONE_ON_DEMAND_S
from prequel.shared.vectors import Vector

MAX_IMAGES = 4
"""Images in progress at once. Each has its decoded pixels in memory, and waits for those before it: with many more, the
last one would wait for longer than a gateway does."""


class OnDemandExtraction:
    """shared.extraction.Extraction in the extractor's own process; pool and decoder are the streams'.

    ``choose`` gives the backbone of a spec, and raises ConfigError where there is none. Safe from any thread.
    """

    def __init__(
        self, pool: BackbonePool, choose: Callable[[str], Choice], decode: Callable[[bytes, int], Images]
    ) -> None:
        self._pool, self._choose, self._decode = pool, choose, decode
        self._places = threading.BoundedSemaphore(MAX_IMAGES)

    def extract(self, backbone: str, data: bytes) -> Vector:
        """As Extraction has it."""
        # Does not wait for a place: a request that is refused at once is sent again by its client.
        if not self._places.acquire(blocking=False):
            raise ExtractorUnavailable(f"{MAX_IMAGES} images are being processed already")
        try:
            loaded = self._load(backbone)
            vector: Vector = loaded.extract(self._decode(data, loaded.size)[None])[0]
            return vector
        except OutOfMemory as error:
            raise ExtractorUnavailable(f"not enough memory for one more image: {error}") from error
        finally:
            self._places.release()

    def _load(self, backbone: str) -> LoadedBackbone:
        try:
            return self._pool.wait(self._choose(backbone), BACKBONE_ON_DEMAND_S)
        except TimeoutError:
            raise ExtractorUnavailable(f"backbone {backbone} is being loaded: send the image again") from None
        except (ConfigError, BackboneUnavailable, ConversionInterrupted) as error:
            raise ExtractorUnavailable(f"backbone {backbone} cannot be loaded: {error}") from error
