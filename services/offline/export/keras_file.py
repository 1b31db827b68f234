"""A model as one Keras file: images in, probabilities out, without anything of Prequel's in it."""

import json
import zipfile
from pathlib import Path

import keras

from prequel.services.extractor.backbones.base import BackboneConfig
from prequel.services.extractor.engines.networks import build
from prequel.services.learner.portable.archive import PortableModel
from prequel.services.offline.export.graph import lower
from prequel.services.offline.export.keras_graph import KerasGraph
from prequel.services.offline.export.onnx_file import about
from prequel.shared.model_files import CannotConvert

ABOUT = "prequel.json"
"""The file's member with the class names; Keras reads past it. What Keras itself keeps has no place for them."""


def write(model: PortableModel, config: BackboneConfig, file: Path) -> None:
    """The file: images [n, size, size, 3], RGB 0 to 255, in; float32 [n, classes] out.

    Raises CannotConvert, and ConfigError where the backbone's weights are not here.
    """
    network, id = build(config, "float32", "channels_last", dtype="float32")
    if id != model.meta.backbone:
        raise CannotConvert(f"the weights here are those of {id}, not of {model.meta.backbone}: set PREQUEL_WEIGHTS")
    graph = KerasGraph()
    wide = keras.layers.Activation("linear", dtype="float64", name="features")(network.output)
    shares = lower(graph, model.steps, wide, model.meta.dim)
    shares = keras.layers.Activation("linear", dtype="float32", name="probabilities")(shares)
    whole = keras.Model(network.input, shares, name="prequel")
    graph.set_weights()
    whole.save(file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(ABOUT, json.dumps(_about(model), indent=1, ensure_ascii=False))


def _about(model: PortableModel) -> dict[str, object]:
    return about(model) | {"labels": model.meta.labels}
