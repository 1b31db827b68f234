"""OpenVINO computes the same vectors as Keras, for every family of backbones, in float32."""

from pathlib import Path

import numpy as np
import pytest

from prequel.services.extractor.backbones.base import Backbone, Vectors
from prequel.services.extractor.engines.keras import KerasBackbone
from prequel.services.extractor.engines.openvino import OpenVinoBackbone
from prequel.services.extractor.loading import load
from tests.extractor.networks import ENVIRON, random_weights, settings, varied

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras itself

QUICK = [("compact", "multi", 800), ("mobilenetv2_0.35", "multi", 1_472)]
FAMILIES = [
    ("compact", "avg", 368),
    ("mobilenetv2_0.35", "avg", 1_280),
    ("mobilenetv2_0.35", "last, block_6_expand_relu,block_13_expand", 1_280 + 96 + 192),
    ("mobilenet_0.25", "conv_pw_11_relu", 128),
    ("resnet50v2", "multi", 1_024 + 2_048),
    ("vgg16", "multi", 512 + 512),
    ("mobilenetv3small", "multi", 288 + 576),
    ("efficientnetv2b0", "multi", 672 + 1_280),
    ("convnexttiny", "multi", 384 + 768),
    ("densenet121", "multi", 512 + 1_024),
    ("inceptionv3", "multi", 768 + 2_048),
    ("xception", "multi", 1_024 + 2_048),
    ("nasnetmobile", "multi", 528 + 1_056),
    ("mobilenetv2_0.35", "none", 62_720),
    ("resnet50", "none", 100_352),
    ("vgg16", "none", 25_088),
    ("mobilenet_0.25", "max", 256),
    ("mobilenetv2", "none", 62_720),
    ("mobilenetv3small", "avg", 576),
    ("resnet50v2", "avg", 2_048),
    ("efficientnetb0", "avg", 1_280),
    ("efficientnetv2b0", "none", 62_720),
    ("convnexttiny", "avg", 768),
    ("densenet121", "avg", 1_024),
    ("inceptionv3", "avg", 2_048),
    ("inceptionresnetv2", "avg", 1_536),
    ("xception", "max", 2_048),
    ("nasnetmobile", "none", 51_744),
]


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


def both(name: str, pooling: str, scratch: Path) -> tuple[Backbone, Backbone]:
    weights = "imagenet" if name == "compact" else random_weights(name, scratch)
    common = {"backbone": name, "pooling": pooling, "weights": str(weights), "precision": "float32", "batch": 4}
    keras = load(settings(**common, engine="keras"), scratch / "cache", ENVIRON)
    openvino = load(settings(**common, engine="openvino"), scratch / "cache", ENVIRON)
    assert isinstance(keras, KerasBackbone)
    assert isinstance(openvino, OpenVinoBackbone), "it fell back to Keras"
    return keras, openvino


@pytest.mark.parametrize(
    ("name", "pooling", "dim"), [*QUICK, *(pytest.param(*row, marks=pytest.mark.soak) for row in FAMILIES)]
)
def test_openvino_equals_keras(name: str, pooling: str, dim: int, scratch: Path) -> None:
    keras, openvino = both(name, pooling, scratch)
    assert (keras.id, keras.dim, keras.size) == (openvino.id, openvino.dim, openvino.size)
    assert keras.dim == dim
    images = varied(5, keras.size)
    expected, got = keras.extract(images), openvino.extract(images)
    assert expected.shape == got.shape == (5, dim)
    assert got.dtype == expected.dtype == np.float32
    differences = rms(expected - expected.mean(axis=0))
    assert differences > 1e-2 * rms(expected), "all images look alike to these weights"
    assert rms(got - expected) <= 2e-4 * differences
    assert np.abs(got - expected).max() <= 1e-3 * np.abs(expected).max()


def rms(values: Vectors) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
