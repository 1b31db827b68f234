"""The extractor's only contact with Keras: builds networks, runs them, and lets another engine trace them."""

import contextlib
import hashlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from prequel.services.extractor.backbones import compact
from prequel.services.extractor.backbones.base import (
    COMPACT,
    IMAGENET,
    Architecture,
    Images,
    OutOfMemory,
    Recipe,
    Vectors,
    architecture,
    identity,
)
from prequel.shared.config import ConfigError

MIDDLE_SHAPE = 8

_log = logging.getLogger(__name__)


class KerasBackbone:
    """Runs a network in Keras, on whatever backend and device Keras has, in three fixed batch shapes.

    A shape that memory does not suffice for is given up for good; only one image that does not fit is an error.
    """

    def __init__(self, recipe: Recipe, *, precision: str, batch: int) -> None:
        """Builds and compiles: takes seconds, on a GPU perhaps minutes. Raises ConfigError, OutOfMemory."""
        gpu = bool(gpus())
        self.precision = "bfloat16" if precision == "bfloat16" or (precision == "auto" and gpu) else "float32"
        self._model, self.id = build_fastest(recipe, self.precision)
        self.size, self.dim = recipe.size, int(self._model.output_shape[-1])
        self._shapes = sorted({1, min(MIDDLE_SHAPE, batch), batch})
        self._compute = _computing(self._model, gpu)
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
                self._give_up(shape, error)
        return np.concatenate(parts)

    def _give_up(self, shape: int, error: OutOfMemory) -> None:
        if shape == 1:
            raise error
        self._shapes = [each for each in self._shapes if each < shape]
        _log.warning("not enough memory for %d images at once, %d from now on: %s", shape, self._shapes[-1], error)

    def _run(self, images: Images, shape: int) -> Vectors:
        padded = images
        if len(images) < shape:
            padded = np.zeros((shape, *images.shape[1:]), np.uint8)
            padded[: len(images)] = images
        try:
            vectors = np.asarray(self._compute(padded), np.float32)
        except Exception as error:
            if _exhausted(error):
                raise OutOfMemory(f"{shape} images: {str(error)[:200]}") from error
            raise
        return vectors[: len(images)]


def gpus() -> list[str]:
    """The GPUs that Keras's backend sees."""
    if keras.backend.backend() == "torch":  # Keras lists no devices there, but computes on CUDA where PyTorch has it
        return [f"cuda:{number}" for number in range(_backend().cuda.device_count())]
    try:
        return list(keras.distribution.list_devices("gpu"))
    except (RuntimeError, NotImplementedError, AttributeError):  # how backends without one put it
        return []


def _backend() -> Any:
    """The package of Keras's backend. Keras has imported it: which one that is, is never ours to say."""
    return sys.modules[keras.backend.backend()]


def _computing(model: Any, gpu: bool) -> Callable[[Images], Any]:
    """What runs one batch of the network: uint8 images in, an array of vectors out.

    On a CPU XLA runs these networks ten times slower than TensorFlow's own kernels do. PyTorch's compiler is left out:
    it needs a C compiler where it runs.
    """
    if keras.backend.backend() == "jax":
        return _jitted(model)
    model.compile(jit_compile=keras.backend.backend() == "tensorflow" and gpu)
    return lambda images: model.predict_on_batch(images)


def _jitted(model: Any) -> Callable[[Images], Any]:
    """The network as one function that JAX compiles, its weights as arguments.

    ``predict_on_batch`` takes every weight out of the model and puts it back at each call: milliseconds of Python under
    the interpreter's lock, which the decoding threads wait for. As constants the weights would be compiled in, for
    each shape anew.
    """
    jax = _backend()
    weights = [[variable.value for variable in of] for of in (model.trainable_variables, model.non_trainable_variables)]
    run = jax.jit(lambda trained, fixed, images: model.stateless_call(trained, fixed, images, training=False)[0])
    return lambda images: run(*weights, images)


def build(recipe: Recipe, precision: str, layout: str) -> tuple[Any, str]:
    """The network, uint8 [n, size, size, 3] to float32 [n, dim] with its preprocessing, and its backbone id.

    ``layout`` (`channels_first` or `channels_last`) is how it computes inside; input and vectors are the same in both.
    Raises ConfigError if the weights are not to be had or do not fit, ValueError if it does not exist in that layout.
    """
    with _defaults(precision, layout):
        images = keras.Input((recipe.size, recipe.size, 3), dtype="uint8", name="images")
        floats = keras.ops.cast(images, "float32")
        if recipe.name == COMPACT:
            base = compact.build(keras)
            _load(base, recipe)
            vectors = base(floats)
        else:
            first = layout == "channels_first"
            base, preprocess = _application(recipe, layout)
            vectors = _pooled(
                base(preprocess(_transposed(floats, (0, 3, 1, 2)) if first else floats)), recipe.pooling, first
            )
        model = keras.Model(images, keras.ops.cast(vectors, "float32"), name=recipe.name.replace(".", "_"))
    return model, identity(recipe, digest(base))


def build_fastest(recipe: Recipe, precision: str) -> tuple[Any, str]:
    """As ``build``, in the layout that this backend runs fastest.

    OpenVINO and PyTorch compute with channels first: OpenVINO ran networks that are not up to four times slower.
    """
    if keras.backend.backend() in ("openvino", "torch") and recipe.name != COMPACT:
        with contextlib.suppress(ValueError):  # some families have channels last only
            return build(recipe, precision, "channels_first")
    return build(recipe, precision, "channels_last")


def digest(model: Any) -> str:
    """SHA-256 over the values of all weights in their order, whatever file or backend they came through."""
    total = hashlib.sha256()
    for values in model.get_weights():
        total.update(values.astype("<f4").tobytes())
    return total.hexdigest()


def trace(model: Any, source: Any) -> Any:
    """Run a network over a node's output of an OpenVINO graph instead of numbers: the graph that computes it.

    Only on Keras's own OpenVINO backend, whose tensors are such outputs.
    """
    tensor = type(keras.ops.zeros(()))
    return model(tensor(source), training=False).output


def _application(recipe: Recipe, layout: str) -> tuple[Any, Any]:
    known: Architecture = architecture(recipe.name)
    maker = getattr(keras.applications, known.maker)
    side = recipe.size
    options: dict[str, Any] = {} if known.alpha is None else {"alpha": known.alpha}
    shape = (3, side, side) if layout == "channels_first" else (side, side, 3)
    try:
        base = maker(include_top=False, weights=None, input_shape=shape, **options)
    except ValueError as error:
        if "channels_first" in str(error):
            raise
        raise ConfigError(f"PREQUEL_BACKBONE={recipe.name} with PREQUEL_IMAGE_SIZE={side}: {error}") from error
    if recipe.weights == IMAGENET:
        base = _imagenet(maker, shape, options, recipe.name)
    else:
        _load(base, recipe)
    return base, sys.modules[maker.__module__].preprocess_input


def _imagenet(maker: Any, shape: tuple[int, ...], options: dict[str, Any], name: str) -> Any:
    try:
        return maker(include_top=False, weights="imagenet", input_shape=shape, **options)
    except Exception as error:  # urllib, ssl and http raise of everything
        raise ConfigError(
            f"PREQUEL_BACKBONE={name} needs ImageNet weights, which Keras could not download ({str(error)[:300]}): "
            f"set PREQUEL_WEIGHTS to a local weights file of {name} without its top, or PREQUEL_BACKBONE={COMPACT}, "
            "whose weights are here"
        ) from error


def _load(model: Any, recipe: Recipe) -> None:
    try:
        model.load_weights(recipe.weights)
    except Exception as error:  # h5py, zipfile and Keras raise of everything about a file that does not fit
        raise ConfigError(
            f"PREQUEL_WEIGHTS={recipe.weights} does not fit PREQUEL_BACKBONE={recipe.name} ({str(error)[:300]}): "
            "give a .weights.h5, .h5 or .keras file of that network without its classification top"
        ) from error


def _transposed(x: Any, axes: tuple[int, ...]) -> Any:
    return keras.ops.transpose(x, axes)


def _pooled(maps: Any, pooling: str, channels_first: bool) -> Any:
    """Feature maps to vectors, in float32; flattened ones in the order of height, width, channel."""
    if pooling == "avg":
        return keras.layers.GlobalAveragePooling2D(dtype="float32")(maps)
    if pooling == "max":
        return keras.layers.GlobalMaxPooling2D(dtype="float32")(maps)
    return keras.layers.Flatten(data_format="channels_last")(
        _transposed(maps, (0, 2, 3, 1)) if channels_first else maps
    )


@contextlib.contextmanager
def _defaults(precision: str, layout: str) -> Iterator[None]:
    """Keras takes arithmetic and layout from global defaults: set ours while building, then put theirs back."""
    policy, before = keras.config.dtype_policy(), keras.config.image_data_format()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    keras.config.set_image_data_format(layout)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(before)


def _exhausted(error: BaseException) -> bool:
    """Whether any backend says so: TensorFlow and JAX "RESOURCE_EXHAUSTED", PyTorch "out of memory"."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "resource_exhausted" in text or "out of memory" in text or "oom" in text
