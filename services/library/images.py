"""How images become features: what the caller says of it, and the settings for the rest."""

import argparse
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prequel.services.extractor.backbones.base import Choice
    from prequel.shared.config import Settings


class ImageOptions(NamedTuple):
    """``backbone`` is a spec (`resnet50`, `resnet50-max`), ``pooling`` how maps become vectors, ``batch`` how many
    images are inferred together, ``precision`` the arithmetic, ``labels`` a rule of `stream`. None: as the settings
    say."""

    backbone: str | None = None
    pooling: str | None = None
    batch: int | None = None
    precision: str | None = None
    labels: str | None = None


def chosen_backbone(options: ImageOptions) -> "tuple[Choice, Settings]":
    """The backbone that the options ask for, else the settings' own. Raises ConfigError."""
    from prequel.services.cli import composition
    from prequel.services.extractor.backbones.registry import choose
    from prequel.shared.config import ConfigError

    spec, pooling = options.backbone or "", options.pooling
    plain = "-" not in spec
    if pooling and not plain:
        raise ConfigError(f"--pooling {pooling} and --backbone {spec}: give the pooling in one place")
    settings = composition.load_settings(
        argparse.Namespace(backbone=spec if plain and spec else None),
        pooling=pooling,
        batch=options.batch,
        precision=options.precision,
    )
    # A pooling from the environment is that of the services' backbone, one from the caller is for this one.
    return choose("" if pooling else spec, settings), settings
