"""Features of one image on demand, without an event, with the backbone and the decoder of the stream."""

import threading
from collections.abc import Callable

from prequel.services.extractor.backbones.base import Backbone, Images, OutOfMemory, Vectors
from prequel.shared.extraction import ExtractorUnavailable
from prequel.shared.vectors import Vector

MAX_IMAGES = 4
"""Images in progress at once. Each has its decoded pixels in memory, and waits for those before it: with many more, the
last one would wait for longer than a gateway does."""


class SynchronizedBackbone:
    """A Backbone for several threads: one inference at a time."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone, self._lock = backbone, threading.Lock()
        self.id, self.dim, self.size, self.precision = backbone.id, backbone.dim, backbone.size, backbone.precision

    def extract(self, images: Images) -> Vectors:
        """As Backbone has it."""
        with self._lock:
            return self._backbone.extract(images)


class OnDemandExtraction:
    """shared.extraction.Extraction in the extractor's own process; ``decode`` is the stream's. Safe from any thread."""

    def __init__(self, backbone: SynchronizedBackbone, decode: Callable[[bytes], Images]) -> None:
        self._backbone, self._decode = backbone, decode
        self._places = threading.BoundedSemaphore(MAX_IMAGES)

    def extract(self, backbone: str, data: bytes) -> Vector:
        """As Extraction has it."""
        if backbone != self._backbone.id:
            raise ExtractorUnavailable(
                f"the stream's features are of backbone {backbone}, and this extractor runs {self._backbone.id}: "
                "start one with the stream's PREQUEL_BACKBONE"
            )
        # Does not wait for a place: a request that is refused at once is sent again by its client.
        if not self._places.acquire(blocking=False):
            raise ExtractorUnavailable(f"{MAX_IMAGES} images are being processed already")
        try:
            vector: Vector = self._backbone.extract(self._decode(data)[None])[0]
            return vector
        except OutOfMemory as error:
            raise ExtractorUnavailable(f"not enough memory for one more image: {error}") from error
        finally:
            self._places.release()
