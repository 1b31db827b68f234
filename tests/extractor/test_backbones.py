"""The table of backbones is Keras's own, and a wrong choice is told what to do."""

import inspect
import re
from pathlib import Path

import keras
import pytest

from prequel.services.extractor.backbones.base import ARCHITECTURES, COMPACT, architecture, identity, recipe
from prequel.services.extractor.backbones.compact import WEIGHTS
from prequel.shared.config import ConfigError
from tests.extractor.networks import settings

MAKERS = {name: maker for name, maker in vars(keras.applications).items() if inspect.isfunction(maker)}


def test_every_model_of_keras_applications_is_in_the_table() -> None:
    assert {known.maker for known in ARCHITECTURES.values()} == {"", *MAKERS}
    assert set(ARCHITECTURES) == {COMPACT, *map(str.lower, MAKERS)}


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(set(ARCHITECTURES) - {COMPACT}))
def test_input_sizes_are_those_the_weights_were_trained_for(name: str) -> None:
    """Built with its classifier, a model has the input it was trained with (MobileNetV3 takes any: 224)."""
    model = MAKERS[ARCHITECTURES[name].maker](weights=None)
    assert [side or 224 for side in model.input_shape[1:3]] == [ARCHITECTURES[name].size] * 2
    keras.backend.clear_session()


def test_widths_are_chosen_by_name() -> None:
    assert architecture("mobilenet_0.25") == ("MobileNet", 224, 0.25)
    assert architecture("mobilenetv2_1.4").alpha == 1.4
    assert architecture("mobilenet").alpha is None


@pytest.mark.parametrize("name", ["resnet5", "", "resnet50_0.5", "mobilenet_x", "mobilenet_0.2.5", "ünet"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ConfigError, match=r"PREQUEL_BACKBONE=.* use "):
        architecture(name)


def test_names_alike_are_suggested() -> None:
    with pytest.raises(ConfigError, match="mobilenetv2"):
        architecture("mobilnetv2")


def test_the_default_is_compact_with_its_own_weights() -> None:
    assert recipe(settings()) == (COMPACT, "max", 32, str(WEIGHTS))


def test_names_may_be_written_as_keras_does(tmp_path: Path) -> None:
    assert recipe(settings(backbone="MobileNetV2")) == ("mobilenetv2", "avg", 224, "imagenet")


def test_what_compact_cannot() -> None:
    for wrong in (settings(pooling="none"), settings(image_size=64)):
        with pytest.raises(ConfigError, match="PREQUEL_BACKBONE"):
            recipe(wrong)


def test_a_weights_file_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"PREQUEL_WEIGHTS=/nowhere\.h5 is no file"):
        recipe(settings(backbone="resnet50", weights="/nowhere.h5"))


@pytest.mark.parametrize("name", [*ARCHITECTURES, "mobilenet_0.25"])
def test_ids_are_short_and_fit_a_header(name: str) -> None:
    id = identity(recipe(settings(backbone=name)), "0123456789abcdef")
    assert re.fullmatch(rf"{re.escape(name)}-(avg|max)-\d+-01234567", id)
    assert len(id) <= 40
