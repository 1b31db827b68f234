"""Which backbone a spec chooses, beside the settings' own."""

from pathlib import Path

import pytest

from prequel.services.extractor.backbones.base import Choice
from prequel.services.extractor.backbones.registry import choose, configure, problem
from prequel.services.extractor.backbones.weights_files import SUFFIXES, weights_of
from prequel.shared.config import ConfigError
from tests.extractor.networks import settings


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"pooling": "multi"},
        {"backbone": "mobilenetv2", "pooling": "block_6_expand_relu, last", "image_size": 96},
        {"backbone": "mobilenet_0.25", "pooling": "last"},
    ],
)
def test_the_id_of_a_backbone_chooses_it_whatever_the_settings_are_now(own: dict[str, object]) -> None:
    config = configure(settings(**own))
    id = Choice(config, "0123abcd").spec
    for later in (settings(**own), settings(), settings(backbone="vgg16", pooling="max", image_size=64)):
        assert choose(id, later)._replace(config=choose(id, later).config._replace(weights=config.weights)) == Choice(
            config, "0123abcd"
        )
    assert choose("", settings(**own)) == Choice(config)


def test_what_a_spec_leaves_out_is_the_settings_for_their_own_backbone_only() -> None:
    own = settings(backbone="MobileNetV2", pooling="multi", image_size=96)
    assert choose("mobilenetv2", own).spec == "mobilenetv2-multi-96"
    assert choose("mobilenetv2-avg", own).spec == "mobilenetv2-avg-96"
    assert choose("resnet50", own).spec == "resnet50-avg-224"
    assert choose("compact", own).spec == "compact-max-32"
    assert choose("compact-multi", own).spec == "compact-multi-32"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_weights_of_a_folder_are_found_by_name_and_a_file_is_that_of_the_own_backbone(
    suffix: str, tmp_path: Path
) -> None:
    file = tmp_path / f"resnet50{suffix}"
    file.touch()
    own = settings(backbone="vgg16", weights=str(tmp_path))
    assert (weights_of("resnet50", own), weights_of("vgg16", own)) == (str(file), "imagenet")
    assert choose("resnet50", own).config.weights == str(file)
    own = settings(backbone="resnet50", weights=str(file))
    assert (weights_of("resnet50", own), weights_of("vgg16", own)) == (str(file), "imagenet")


@pytest.mark.parametrize("spec", ["resnet", "compact-none", "compact-max-64", "My Net", "mobilenetv2-avg-224-zzz"])
def test_what_is_no_backbone_has_a_reason(spec: str) -> None:
    with pytest.raises(ConfigError):
        choose(spec, settings())
    assert problem(spec)
    assert not problem("mobilenetv2-block_6_expand_relu+last-96")


@pytest.mark.parametrize(
    ("spec", "nearest"),
    [
        ("mobilnetv2", "use mobilenetv2, "),
        ("MobileNetV2", "use mobilenetv2, "),
        ("mobilenet-v2", "did you mean mobilenetv2?"),
        ("efficientnet-b0-avg", "use efficientnetb"),
        ("resnet 50", "use resnet50, "),
        ("typo", "use compact, mobilenetv2, resnet50 "),
    ],
)
def test_of_no_backbone_the_nearest_are_named_before_anything_else(spec: str, nearest: str) -> None:
    assert problem(spec).startswith(("unknown backbone " + spec, f"unknown backbone {spec!r}"))
    assert problem(spec).partition(": ")[2].startswith(nearest)
