"""Backbones of random weights for the tests: files that both engines load."""

import os
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from prequel.services.extractor.backbones.applications import Application
from prequel.services.extractor.backbones.base import Images
from prequel.services.extractor.backbones.registry import architecture
from prequel.shared.config import Settings
from tests.extractor.pictures import photograph

ENVIRON = dict(os.environ)


def random_weights(name: str, folder: Path) -> Path:
    """The file of ``name``'s random weights in ``folder``, made if it is not there yet."""
    file = folder / f"{name}.weights.h5"
    if not file.exists():
        keras.utils.set_random_seed(7)
        known = architecture(name)
        assert isinstance(known, Application)
        options: dict[str, Any] = {} if known.alpha is None else {"alpha": known.alpha}
        shape = (known.size, known.size, 3)
        function = getattr(keras.applications, known.function)
        model = function(include_top=False, weights=None, input_shape=shape, **options)
        _enliven(model, sys.modules[function.__module__].preprocess_input(varied(3, known.size).astype(np.float32)))
        model.save_weights(file)
    return file


def _enliven(model: Any, images: Any) -> None:
    """Give batch norms the statistics of images and random scales, so that activations neither vanish nor explode."""
    random = np.random.default_rng(7)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
        layer.beta.assign(random.uniform(-0.2, 0.2, layer.beta.shape).astype(np.float32))
        if layer.gamma is not None:
            layer.gamma.assign(random.uniform(0.8, 1.2, layer.gamma.shape).astype(np.float32))
    if norms:
        model(images, training=True)


def settings(**values: object) -> Settings:
    """Default settings, except for these."""
    return Settings.model_validate(values)


def varied(count: int, size: int) -> Images:
    """Pictures that differ in colour, brightness and detail."""
    pictures = [np.asarray(photograph(size, size, seed), np.float32) for seed in range(count)]
    dimmed = [picture * (1 - number / (2 * count)) for number, picture in enumerate(pictures)]
    return np.stack(dimmed).astype(np.uint8)
