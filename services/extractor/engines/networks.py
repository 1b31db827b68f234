"""Builds the Keras networks of backbones, with their ids, for an engine to run or to convert."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import keras

from prequel.services.extractor.backbones.base import BackboneConfig, backbone_id
from prequel.services.extractor.backbones.registry import architecture


def build(config: BackboneConfig, precision: str, layout: str, dtype: str = "uint8") -> tuple[Any, str]:
    """The network, ``dtype`` [n, size, size, 3] to float32 [n, dim] with its preprocessing, and its backbone's id.

    ``layout`` (`channels_first` or `channels_last`) is how it computes inside; input and vectors are the same in both.
    Raises ConfigError if the weights are missing or do not fit, ValueError if it does not exist in that layout.
    """
    with _defaults(precision, layout):
        images = keras.Input((config.size, config.size, 3), dtype=dtype, name="images")
        floats = keras.ops.cast(images, "float32")
        network = architecture(config.name).build(keras, config, layout)
        # A dot in a model's name would be taken for a scope.
        name = config.name.replace(".", "_")
        model = keras.Model(images, keras.ops.cast(network.apply(floats), "float32"), name=name)
    return model, backbone_id(config, digest(network.base))


def build_fastest(config: BackboneConfig, precision: str) -> tuple[Any, str]:
    """As ``build``, in the layout that Keras's backend runs fastest.

    OpenVINO and PyTorch compute with channels first: OpenVINO ran networks that are not up to four times slower.
    """
    if keras.backend.backend() in ("openvino", "torch") and architecture(config.name).channels_first:
        with contextlib.suppress(ValueError):  # some families have channels last only
            return build(config, precision, "channels_first")
    return build(config, precision, "channels_last")


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


_building = threading.Lock()
"""Keras's defaults are those of the process: two networks that were built at one time would mix them up."""


@contextlib.contextmanager
def _defaults(precision: str, layout: str) -> Iterator[None]:
    """Set Keras's global defaults of arithmetic and layout while a network is built, then restore them.

    Layers take both from there; a learner in the same process builds Keras networks too.
    """
    with _building:
        policy, image_format = keras.config.dtype_policy(), keras.config.image_data_format()
        keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
        keras.config.set_image_data_format(layout)
        try:
            yield
        finally:
            keras.config.set_dtype_policy(policy)
            keras.config.set_image_data_format(image_format)
