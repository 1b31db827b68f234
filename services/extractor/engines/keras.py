"""The Keras engine: runs a backbone on whatever backend and device Keras has."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from prequel.services.extractor.backbones.base import BackboneConfig, Images, OutOfMemory, Vectors
from prequel.services.extractor.engines.networks import build_fastest

MIDDLE_SHAPE = 8
"""Images in the batch shape between one and a full batch. Without it a few images would cost as much as a full batch;
more shapes would each take seconds to compile at the start."""

_log = logging.getLogger(__name__)


class KerasBackbone:
    """A Backbone that Keras runs, in three fixed batch shapes.

    A shape for which memory does not suffice is not tried again; only when one image alone does not fit it is an error.
    """

    def __init__(self, config: BackboneConfig, *, precision: str, batch: int) -> None:
        """Builds and compiles: takes seconds, on a GPU perhaps minutes. Raises ConfigError, OutOfMemory."""
        gpu = bool(gpus())
        self.precision = "bfloat16" if precision == "bfloat16" or (precision == "auto" and gpu) else "float32"
        self._model, self.id = build_fastest(config, self.precision)
        self.size, self.dim = config.size, int(self._model.output_shape[-1])
        self._shapes = sorted({1, min(MIDDLE_SHAPE, batch), batch})
        self._compute = _compute_function(self._model, gpu)
        # Compiles every shape now, the smallest first; a shape that does not fit removes the larger ones too.
        for shape in list(self._shapes):
            if shape in self._shapes:
                self.extract(np.zeros((shape, self.size, self.size, 3), np.uint8))

    def extract(self, images: Images) -> Vectors:
        """As Backbone has it; a batch is padded to the next fixed shape, so that nothing compiles again."""
        parts = [np.empty((0, self.dim), np.float32)]
        start = 0
        while start < len(images):
            shape = next((shape for shape in self._shapes if shape >= len(images) - start), self._shapes[-1])
            try:
                parts.append(self._run(images[start : start + shape], shape))
                start += shape
            except OutOfMemory as error:
                self._drop_shape(shape, error)
        return np.concatenate(parts)

    def _drop_shape(self, shape: int, error: OutOfMemory) -> None:
        if shape == 1:
            raise error
        self._shapes = [smaller for smaller in self._shapes if smaller < shape]
        _log.warning(
            "not enough memory for %d images at once, using %d from now on: %s", shape, self._shapes[-1], error
        )

    def _run(self, images: Images, shape: int) -> Vectors:
        padded = images
        if len(images) < shape:
            padded = np.zeros((shape, *images.shape[1:]), np.uint8)
            padded[: len(images)] = images
        try:
            vectors = np.asarray(self._compute(padded), np.float32)
        except Exception as error:
            if _out_of_memory(error):
                raise OutOfMemory(f"{shape} images: {str(error)[:200]}") from error
            raise
        return vectors[: len(images)]


def gpus() -> list[str]:
    """The GPUs that Keras's backend sees."""
    if keras.backend.backend() == "torch":  # Keras lists no devices there, but computes on CUDA where PyTorch has it
        return [f"cuda:{number}" for number in range(_backend().cuda.device_count())]
    try:
        return list(keras.distribution.list_devices("gpu"))
    except (RuntimeError, NotImplementedError, AttributeError):  # raised by backends without one
        return []


def _backend() -> Any:
    """The package of Keras's backend, which Keras has imported: Prequel imports none of them itself."""
    return sys.modules[keras.backend.backend()]


def _compute_function(model: Any, gpu: bool) -> Callable[[Images], Any]:
    """What runs one batch of the network: uint8 images in, an array of vectors out.

    XLA is for GPUs only: on a CPU it runs these networks ten times slower than TensorFlow's own kernels. PyTorch's
    compiler is not used: it needs a C compiler on the machine where it runs.
    """
    if keras.backend.backend() == "jax":
        return _jitted(model)
    model.compile(jit_compile=keras.backend.backend() == "tensorflow" and gpu)
    return lambda images: model.predict_on_batch(images)


def _jitted(model: Any) -> Callable[[Images], Any]:
    """The network as one function that JAX compiles, its weights as arguments.

    ``predict_on_batch`` takes every weight out of the model and puts it back at each call: milliseconds of Python under
    the interpreter's lock, for which the decoding threads wait. As constants the weights would be compiled into the
    function of each shape.
    """
    jax = _backend()
    weights = [
        [variable.value for variable in group] for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    run = jax.jit(lambda trained, fixed, images: model.stateless_call(trained, fixed, images, training=False)[0])
    return lambda images: run(*weights, images)


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: TensorFlow and JAX say "RESOURCE_EXHAUSTED", PyTorch "out of memory"."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "resource_exhausted" in text or "out of memory" in text or "oom" in text
