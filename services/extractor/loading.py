"""Loading: which engine runs the backbone here, and the backbone in it."""

import logging
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from prequel.services.extractor.backbones.base import Backbone, Recipe, recipe
from prequel.services.extractor.engines import conversion
from prequel.shared.config import ConfigError, Settings

_GPU_DEVICES = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")))

_log = logging.getLogger(__name__)


def load(settings: Settings, cache: Path, environ: Mapping[str, str], stop: threading.Event | None = None) -> Backbone:
    """The backbone that the settings ask for, ready to run.

    ``cache`` is a folder for converted networks, ``environ`` the environment of the process that converts, which is
    ended where ``stop`` is set. Takes well under a second from a warm cache (Keras is then not even imported), seconds
    from a cold one, longer on a GPU. Raises ConfigError, which names setting and remedy; conversion.Interrupted.
    """
    wanted = recipe(settings)
    if settings.engine == "keras" or (settings.engine == "auto" and (_keras_has_gpu() or not find_spec("openvino"))):
        return _on_keras(settings, wanted)
    if not find_spec("openvino"):
        raise ConfigError("PREQUEL_ENGINE=openvino: OpenVINO is not installed; pip install openvino, or use keras")
    try:
        return _on_openvino(settings, wanted, cache, environ, stop or threading.Event())
    except (conversion.ConversionFailed, RuntimeError) as error:
        _log.warning("OpenVINO cannot run %s, Keras runs it instead, several times slower: %s", wanted.name, error)
        return _on_keras(settings, wanted)


def _on_openvino(
    settings: Settings, wanted: Recipe, cache: Path, environ: Mapping[str, str], stop: threading.Event
) -> Backbone:
    network = conversion.converted(wanted, cache, environ, stop)
    try:
        return _compiled(settings, wanted, network)
    except RuntimeError as error:
        _log.warning("converting %s again: what was in %s is damaged: %s", wanted.name, network.file, error)
        conversion.forget(network)
        return _compiled(settings, wanted, conversion.converted(wanted, cache, environ, stop))


def _compiled(settings: Settings, wanted: Recipe, network: conversion.Converted) -> Backbone:
    from prequel.services.extractor.engines.openvino import OpenVinoBackbone

    return OpenVinoBackbone(
        network.file,
        id=network.id,
        dim=network.dim,
        size=wanted.size,
        precision=settings.precision,
        threads=settings.threads,
        batch=settings.batch,
    )


def _on_keras(settings: Settings, wanted: Recipe) -> Backbone:
    try:
        from prequel.services.extractor.engines.keras import KerasBackbone
    except ImportError as error:
        raise ConfigError(
            f"Keras cannot start ({error}): install TensorFlow, JAX or PyTorch and set KERAS_BACKEND to "
            "tensorflow, jax or torch; or install OpenVINO and use PREQUEL_ENGINE=openvino"
        ) from error
    return KerasBackbone(wanted, precision=settings.precision, batch=settings.batch)


def _keras_has_gpu() -> bool:
    """Whether Keras would run on a GPU. Its backend takes seconds to import: done only where the machine has one."""
    if not any(device.exists() for device in _GPU_DEVICES):
        return False
    try:
        from prequel.services.extractor.engines import keras
    except ImportError as error:
        _log.warning(
            "there is a GPU, but Keras cannot start (%s), so the CPU is used: install TensorFlow, JAX or PyTorch with "
            "GPU support and set KERAS_BACKEND to tensorflow, jax or torch",
            error,
        )
        return False
    return bool(keras.gpus())
