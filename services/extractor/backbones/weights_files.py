"""Weights files of backbones: that they exist, and that they fit."""

from pathlib import Path
from typing import Any

from prequel.services.extractor.backbones.base import IMAGENET, BackboneConfig
from prequel.shared.config import ConfigError, Settings

SUFFIXES = (".weights.h5", ".h5", ".keras")
"""Of weights files, as Keras names its formats."""


def weights_of(name: str, settings: Settings) -> str:
    """PREQUEL_WEIGHTS for the backbone ``name``: a file is that of PREQUEL_BACKBONE, a folder has one for each name.

    Where there is none for it, IMAGENET.
    """
    folder = Path(settings.weights)
    if settings.weights != IMAGENET and folder.is_dir():
        files = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
        return next((str(file) for file in files if file.is_file()), IMAGENET)
    return settings.weights if name == settings.backbone.lower() else IMAGENET


def existing_file(name: str, weights: str) -> str:
    """``weights``, the path of a weights file for the backbone ``name``. Raises ConfigError if it does not exist."""
    if not Path(weights).is_file():
        raise ConfigError(
            f"PREQUEL_WEIGHTS={weights} is not a file: set it to a weights file of {name}, or to {IMAGENET}"
        )
    return weights


def load_weights(model: Any, config: BackboneConfig) -> None:
    """Load ``config.weights`` into a Keras model. Raises ConfigError if the file does not fit."""
    try:
        model.load_weights(config.weights)
    except Exception as error:  # h5py, zipfile and Keras raise many types for a file that does not fit
        raise ConfigError(
            f"PREQUEL_WEIGHTS={config.weights} does not fit PREQUEL_BACKBONE={config.name} ({str(error)[:300]}): "
            "set it to a .weights.h5, .h5 or .keras file of that network without its classification top"
        ) from error
