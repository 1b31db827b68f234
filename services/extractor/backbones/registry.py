"""The table of backbones by name, and the choice of one by the settings or by a spec."""

import difflib
import re

from prequel.services.extractor.backbones.applications import APPLICATIONS, application_of_width
from prequel.services.extractor.backbones.base import Architecture, BackboneConfig, Choice
from prequel.services.extractor.backbones.compact import COMPACT
from prequel.services.extractor.backbones.feature_maps import AVERAGE
from prequel.services.extractor.backbones.weights_files import weights_of
from prequel.shared.backbone_specs import MAX_SPEC_LENGTH, RULE, parse_spec
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
    raise ConfigError(f"unknown backbone {name}: {_nearest(name)}")


def configure(settings: Settings) -> BackboneConfig:
    """The backbone that the settings ask for. Raises ConfigError, naming the setting and the remedy."""
    name = settings.backbone.lower()
    try:
        row = architecture(name)
    except ConfigError as error:
        raise ConfigError(f"PREQUEL_BACKBONE={name}: {error}") from None
    return row.configure(name, settings.model_copy(update={"weights": weights_of(name, settings)}))


def problem(text: str) -> str:
    """Why no backbone can be chosen by this spec; empty where one can. Weights are not looked for."""
    try:
        choose(text, Settings.model_validate({}))
    except ConfigError as error:
        return str(error)
    return ""


def choose(text: str, settings: Settings) -> Choice:
    """The backbone that a spec asks for, which is a backbone's id or the beginning of one; empty: the settings' own.

    Pooling and size that it leaves out are the settings' where they are of the same backbone, else the backbone's own.
    Raises ConfigError.
    """
    if not text:
        return Choice(configure(settings))
    spec = parse_spec(text)
    if spec is None:
        raise ConfigError(f"unknown backbone {text[:100]!r}: {_nearest(text)}. It is written as {RULE}")
    if (joined := _letters(spec.name + spec.pooling)) in BACKBONES and spec.pooling:
        raise ConfigError(f"unknown backbone {text[:100]}: did you mean {joined}?")
    row, default = architecture(spec.name), spec.name == settings.backbone.lower()
    chosen = {
        "weights": weights_of(spec.name, settings),
        "pooling": spec.pooling.replace("+", ",") or (settings.pooling if default else AVERAGE),
        "image_size": spec.size or (settings.image_size if default else 0),
    }
    return Choice(row.configure(spec.name, settings.model_copy(update=chosen)), spec.digest)


def _nearest(name: str) -> str:
    """What to use instead of what is no backbone's name."""
    letters = _letters(name.partition("-")[0])
    similar = difflib.get_close_matches(letters, BACKBONES, 3) or ["compact", "mobilenetv2", "resnet50"]
    return f"use {', '.join(similar)} or another model of keras.applications"


def _letters(name: str) -> str:
    """Small letters and digits of a name: how keras.applications names its models here."""
    return re.sub(r"[^a-z0-9]", "", name[:MAX_SPEC_LENGTH].lower())
