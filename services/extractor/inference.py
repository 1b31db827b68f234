"""Inference of a batch, in smaller parts where memory does not suffice for it."""

import logging

import numpy as np

from prequel.services.extractor.backbones.base import Backbone, Images, OutOfMemory, Vectors

_log = logging.getLogger(__name__)


class BatchInference:
    """Runs batches of up to ``max_images`` through a backbone. For one thread."""

    def __init__(self, backbone: Backbone, max_images: int) -> None:
        self._backbone, self._max_images = backbone, max_images

    def run(self, images: Images) -> Vectors:
        """Features of all images, uint8 [n, size, size, 3] to float32 [n, dim].

        Where memory does not suffice, from now on in parts of half the size. Once only: where a half does not fit
        either, memory is too small for this backbone. Raises OutOfMemory.
        """
        try:
            return self._run_in_parts(images)
        except OutOfMemory as error:
            tried = min(self._max_images, len(images))
            if tried == 1:
                raise
            self._max_images = tried // 2
            _log.warning("not enough memory for %d images at once, using %d from now on: %s", tried, tried // 2, error)
            return self._run_in_parts(images)

    def _run_in_parts(self, images: Images) -> Vectors:
        if len(images) <= self._max_images:
            return self._backbone.extract(images)
        starts = range(0, len(images), self._max_images)
        return np.concatenate([self._backbone.extract(images[start : start + self._max_images]) for start in starts])
