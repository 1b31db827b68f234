"""The table of backbones by name, and the choice of one by the settings."""

import difflib

from prequel.services.extractor.backbones.applications import APPLICATIONS, application_of_width
from prequel.services.extractor.backbones.base import Architecture, BackboneConfig
from prequel.services.extractor.backbones.compact import COMPACT
from prequel.shared.config import ConfigError, Settings

BACKBONES: dict[str, Architecture] = {
    "compact": COMPACT,
    **APPLICATIONS,
}
"""Every backbone by the name that PREQUEL_BACKBONE gives it. A new one is a file beside compact.py and a row here."""


def architecture(name: str) -> Architecture:
    """The row of ``name``; `mobilenet_0.25` is `mobilenet` of a quarter of the width. Raises ConfigError."""
    if row := BACKBONES.get(name) or application_of_width(name):
        return row
    similar = difflib.get_close_matches(name, BACKBONES, 3) or ["compact", "mobilenetv2", "resnet50"]
    raise ConfigError(
        f"unknown backbone PREQUEL_BACKBONE={name}: use {', '.join(similar)} or another model of keras.applications"
    )


def configure(settings: Settings) -> BackboneConfig:
    """The backbone that the settings ask for. Raises ConfigError, naming the setting and the remedy."""
    name = settings.backbone.lower()
    return architecture(name).configure(name, settings)
