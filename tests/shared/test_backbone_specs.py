"""Specs of backbones: ids and their beginnings, and which ids a spec asks for."""

import pytest

from prequel.shared.backbone_specs import BackboneSpec, matches, parse_spec

ID = "mobilenet_0.25-conv_pw_6_relu+last-96-2d17efdd"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (ID, BackboneSpec("mobilenet_0.25", "conv_pw_6_relu+last", 96, "2d17efdd")),
        (ID.rpartition("-")[0], BackboneSpec("mobilenet_0.25", "conv_pw_6_relu+last", 96)),
        ("mobilenetv2-multi", BackboneSpec("mobilenetv2", "multi")),
        ("compact", BackboneSpec("compact")),
        *[
            (text, None)
            for text in ("", "-", "vgg16-", "vgg16-224", "VGG16", "vgg 16", "vgg16-avg-0", "vgg16-a-b-64", "v\n")
        ],
    ],
)
def test_a_spec_is_the_beginning_of_an_id(text: str, spec: BackboneSpec | None) -> None:
    assert parse_spec(text) == spec


def test_a_spec_ends_before_a_dash() -> None:
    assert all(matches(spec, ID) for spec in ("", "mobilenet_0.25", ID.rpartition("-")[0], ID))
    assert not any(matches(spec, ID) for spec in ("mobilenet", "mobilenet_0.2", f"{ID}0", "conv_pw_6_relu"))
