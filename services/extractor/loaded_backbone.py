"""A backbone that is loaded: for several threads, and for batches of any size."""

import threading

from prequel.services.extractor.backbones.base import Backbone, Images, Vectors
from prequel.services.extractor.inference import BatchInference


class LoadedBackbone:
    """A Backbone for several threads: one inference at a time, in parts where memory does not suffice for more."""

    def __init__(self, backbone: Backbone, max_images: int) -> None:
        self.id, self.dim, self.size, self.precision = backbone.id, backbone.dim, backbone.size, backbone.precision
        self._inference, self._lock = BatchInference(backbone, max_images), threading.Lock()

    def extract(self, images: Images) -> Vectors:
        """As Backbone has it; see ``BatchInference.run``."""
        with self._lock:
            return self._inference.run(images)
