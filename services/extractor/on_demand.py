"""Features of one image on demand, by the backbone and the decoder of the stream, without an event."""

import threading
from collections.abc import Callable

from prequel.services.extractor.backbones.base import Backbone, Images, OutOfMemory, Vectors
from prequel.shared.extraction import ExtractorUnavailable
from prequel.shared.vectors import Vector

WAITING = 4
"""Images that may be asked about at once: each holds its decoded pixels, and each waits for all before it."""


class SynchronizedBackbone:
    """A Backbone for several threads: one inference at a time."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone, self._turn = backbone, threading.Lock()
        self.id, self.dim, self.size, self.precision = backbone.id, backbone.dim, backbone.size, backbone.precision

    def extract(self, images: Images) -> Vectors:
        """As Backbone has it."""
        with self._turn:
            return self._backbone.extract(images)


class OnDemand:
    """shared.extraction.Extraction in the extractor's own process; ``decode`` is the stream's. Safe from any thread."""

    def __init__(self, backbone: SynchronizedBackbone, decode: Callable[[bytes], Images]) -> None:
        self._backbone, self._decode = backbone, decode
        self._places = threading.BoundedSemaphore(WAITING)

    def extract(self, backbone: str, data: bytes) -> Vector:
        if backbone != self._backbone.id:
            raise ExtractorUnavailable(
                f"the stream's features are of backbone {backbone}, and this extractor runs {self._backbone.id}: "
                "start one with the stream's PREQUEL_BACKBONE"
            )
        if not self._places.acquire(blocking=False):
            raise ExtractorUnavailable(f"{WAITING} images are being looked at already")
        try:
            vector: Vector = self._backbone.extract(self._decode(data)[None])[0]
            return vector
        except OutOfMemory as error:
            raise ExtractorUnavailable(f"not enough memory for one more image: {error}") from error
        finally:
            self._places.release()
