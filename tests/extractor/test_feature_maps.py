"""The feature maps that a pooling chooses: by rule in every family of backbones, by name in any process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from prequel.services.extractor.backbones.applications import APPLICATIONS
from prequel.services.extractor.backbones.base import BackboneConfig
from prequel.services.extractor.backbones.feature_maps import before_last_reduction, feature_maps, named_maps
from prequel.services.extractor.loading import load
from prequel.shared.config import ConfigError
from tests.extractor.networks import ENVIRON, random_weights, settings

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras itself

ENDS = {
    "convnexttiny": ("add_14", 14, 384),
    "densenet121": ("pool4_conv", 14, 512),
    "efficientnetb0": ("block6a_expand_activation", 14, 672),
    "efficientnetv2b0": ("block6a_expand_activation", 14, 672),
    "inceptionresnetv2": ("block17_20_ac", 17, 1_088),
    "inceptionv3": ("mixed7", 17, 768),
    "mobilenet": ("conv_pw_11_relu", 14, 512),
    "mobilenetv2": ("block_13_expand_relu", 14, 576),
    "mobilenetv3large": ("activation_13", 14, 672),
    "mobilenetv3small": ("activation_11", 14, 288),
    "nasnetmobile": ("adjust_relu_1_9", 14, 528),
    "resnet50": ("conv4_block6_out", 14, 1_024),
    "resnet50v2": ("conv4_block5_out", 14, 1_024),
    "vgg16": ("block4_conv3", 28, 512),
    "xception": ("block13_sepconv2_bn", 19, 1_024),
}
"""By family the map that `multi` takes beside the last one: its layer, its side and its channels."""

STRUCTURES = """
import sys
import keras
from prequel.services.extractor.backbones.applications import APPLICATIONS
from prequel.services.extractor.backbones.feature_maps import before_last_reduction, named_maps

layouts, *names = sys.argv[1:]
for layout in layouts.split(","):
    keras.config.set_image_data_format(layout)
    axis = 1 if layout == "channels_first" else 3
    for name in names:
        side, function = APPLICATIONS[name].size, getattr(keras.applications, APPLICATIONS[name].function)
        shape = (3, side, side) if axis == 1 else (side, side, 3)
        try:
            model = function(include_top=False, weights=None, input_shape=shape)
        except ValueError:
            continue
        chosen = before_last_reduction(model, axis)
        (layer,) = [layer for layer, each in named_maps(model).items() if each is chosen]
        print(name, layer, chosen.shape[2], chosen.shape[axis])
"""


BOTH = "channels_last,channels_first"


def structures(names: list[str], layouts: str = BOTH) -> set[tuple[str, str, int, int]]:
    """What `multi` chooses in each layout, in a process where Keras runs on OpenVINO: others initialise weights, for
    most of a minute."""
    command = [sys.executable, "-c", STRUCTURES, layouts, *names]
    environ = os.environ | {"KERAS_BACKEND": "openvino"}
    lines = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.splitlines()
    return {(name, layer, int(side), int(width)) for name, layer, side, width in map(str.split, lines)}


def expected(names: list[str]) -> set[tuple[str, str, int, int]]:
    return {(name, *ENDS[name]) for name in names}


def test_multi_takes_the_end_of_the_last_stage_but_one() -> None:
    quick = ["mobilenetv2", "mobilenetv3small", "vgg16", "resnet50v2"]
    assert structures(quick) == expected(quick)


@pytest.mark.soak
def test_multi_in_every_family() -> None:
    assert structures([*ENDS]) == expected([*ENDS])


@pytest.mark.soak
def test_multi_in_every_application() -> None:
    """At a sixteenth of the image's side, or VGG's eighth, and neither too narrow to gain nor wider than the last."""
    for name, _, side, width in structures([*APPLICATIONS], "channels_last"):
        reduction = APPLICATIONS[name].size / side
        assert 14 < reduction < 20 if "vgg" not in name else reduction == 8, name
        assert 256 < width <= 2_048, name


def test_layers_have_the_names_of_a_first_network_in_later_ones() -> None:
    for _ in range(2):
        model = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(64, 64, 3))
        names = [*named_maps(model)]
        assert [name for name in names if name.startswith("activation")][:3] == [
            "activation",
            "activation_1",
            "activation_2",
        ]
        assert {"conv", "expanded_conv_8_expand", "activation_11"} <= set(names)
        assert named_maps(model)["activation_11"] is before_last_reduction(model, 3)


@pytest.fixture(scope="module")
def small() -> Any:
    return keras.applications.MobileNetV2(include_top=False, weights=None, alpha=0.35, input_shape=(64, 64, 3))


def chosen(model: Any, pooling: str) -> list[Any]:
    return feature_maps(model, BackboneConfig("mobilenetv2_0.35", pooling, 64, "imagenet"), 3)


def test_maps_come_in_the_order_in_which_they_are_named(small: Any) -> None:
    maps = chosen(small, "last+block_1_expand+block_13_expand_relu")
    assert [each.shape[3] for each in maps] == [1_280, 48, 192]
    assert chosen(small, "multi") == [maps[2], maps[0]]
    assert chosen(small, "avg") == chosen(small, "none") == [maps[0]]


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        (
            "blok_13_expand+last",
            r"=blok_13_expand,last: .* no feature map 'blok_13_expand': use block_13_",
        ),
        ("avrg", "use .*avg"),
        ("average", "or one of avg, max, none, multi alone"),
        ("last+avg", "no feature map 'avg'"),
        ("???", "use last; or"),
        ("last+Conv_1+last", "names the layer last twice"),
    ],
)
def test_wrong_names_get_near_ones(pooling: str, message: str, small: Any) -> None:
    with pytest.raises(ConfigError, match=message):
        chosen(small, pooling)


@pytest.mark.parametrize("engine", ["keras", "openvino"])
def test_a_wrong_name_stops_the_start_in_both_engines(engine: str, tmp_path: Path) -> None:
    weights = str(random_weights("mobilenet_0.25", tmp_path))
    wrong = settings(backbone="mobilenet_0.25", weights=weights, pooling="conv_pw_11_rel,last", engine=engine)
    with pytest.raises(ConfigError, match="no feature map 'conv_pw_11_rel': use conv_pw_11_relu"):
        load(wrong, tmp_path / "cache", ENVIRON)
