"""The table of backbones has every model of Keras, and a wrong choice gets a message that says what to do."""

import inspect
import re
from pathlib import Path

import keras
import pytest
from pydantic import ValidationError

from prequel.services.extractor.backbones.applications import APPLICATIONS, Application
from prequel.services.extractor.backbones.base import backbone_id
from prequel.services.extractor.backbones.compact import WEIGHTS
from prequel.services.extractor.backbones.registry import BACKBONES, architecture, configure
from prequel.shared.config import ConfigError
from tests.extractor.networks import settings

FUNCTIONS = {name: function for name, function in vars(keras.applications).items() if inspect.isfunction(function)}


def test_every_model_of_keras_applications_is_in_the_table() -> None:
    assert {application.function for application in APPLICATIONS.values()} == set(FUNCTIONS)
    assert set(BACKBONES) == {"compact", *map(str.lower, FUNCTIONS)}


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(APPLICATIONS))
def test_input_sizes_are_those_the_weights_were_trained_for(name: str) -> None:
    """Built with its classifier, a model has the input it was trained with (MobileNetV3 takes any: 224)."""
    model = FUNCTIONS[APPLICATIONS[name].function](weights=None)
    assert [side or 224 for side in model.input_shape[1:3]] == [APPLICATIONS[name].size] * 2
    keras.backend.clear_session()


def test_widths_are_chosen_by_name() -> None:
    assert architecture("mobilenet_0.25") == Application("MobileNet", 224, 0.25)
    assert architecture("mobilenetv2_1.4") == Application("MobileNetV2", 224, 1.4)
    assert architecture("mobilenet") == Application("MobileNet", 224, None)


@pytest.mark.parametrize("name", ["resnet5", "", "resnet50_0.5", "mobilenet_x", "mobilenet_0.2.5", "ünet"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"PREQUEL_BACKBONE={name}: unknown backbone {name}: use "):
        configure(settings(backbone=name))


def test_similar_names_are_suggested() -> None:
    with pytest.raises(ConfigError, match="mobilenetv2"):
        architecture("mobilnetv2")


def test_the_default_is_compact_with_its_own_weights() -> None:
    assert configure(settings()) == ("compact", "max", 32, str(WEIGHTS))


def test_names_may_be_written_as_keras_does(tmp_path: Path) -> None:
    assert configure(settings(backbone="MobileNetV2")) == ("mobilenetv2", "avg", 224, "imagenet")


def test_settings_that_compact_does_not_support() -> None:
    for unsupported, message in (
        (
            {"pooling": "none"},
            "PREQUEL_POOLING=none: PREQUEL_BACKBONE=compact has its own: leave it unset, or set it to multi",
        ),
        ({"pooling": "mutli"}, r"PREQUEL_POOLING=mutli \(did you mean multi\?\): PREQUEL_BACKBONE=compact has its own"),
        (
            {"pooling": "last,multi"},
            r"PREQUEL_POOLING=last,multi \(did you mean multi\?\): PREQUEL_BACKBONE=compact has its own",
        ),
        ({"image_size": 64}, "PREQUEL_IMAGE_SIZE=64: PREQUEL_BACKBONE=compact has its own, 32: leave it unset"),
    ):
        with pytest.raises(ConfigError, match=message):
            configure(settings(**unsupported))


def test_multi_is_an_own_pooling_of_compact() -> None:
    assert configure(settings(pooling="multi")) == ("compact", "multi", 32, str(WEIGHTS))


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("avg", "avg"),
        ("multi", "multi"),
        ("last", "avg"),
        ("block_13_expand_relu, last", "block_13_expand_relu+last"),
        ("last,block_13_expand_relu", "last+block_13_expand_relu"),
    ],
)
def test_layers_are_named_in_the_id(setting: str, word: str) -> None:
    config = configure(settings(backbone="mobilenetv2", pooling=setting))
    assert config.pooling == word
    assert backbone_id(config, "0123456789abcdef") == f"mobilenetv2-{word}-224-01234567"


@pytest.mark.parametrize("setting", ["", ",", "last,", "last,,avg", "last avg", "block_1+last", "a/b"])
def test_a_pooling_that_names_nothing(setting: str) -> None:
    with pytest.raises(ValidationError, match="pooling"):
        settings(pooling=setting)


def test_a_weights_file_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"PREQUEL_WEIGHTS=/nowhere\.h5 is not a file"):
        configure(settings(backbone="resnet50", weights="/nowhere.h5"))


@pytest.mark.parametrize("name", [*BACKBONES, "mobilenet_0.25"])
def test_ids_are_short_and_fit_a_header(name: str) -> None:
    id = backbone_id(configure(settings(backbone=name)), "0123456789abcdef")
    assert re.fullmatch(rf"{re.escape(name)}-(avg|max)-\d+-01234567", id)
    assert len(id) <= 40
