"""Loading: chooses the engine for this machine, and loads the backbone into it."""

import logging
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from prequel.services.extractor.backbones.base import Backbone, BackboneConfig
from prequel.services.extractor.backbones.registry import configure
from prequel.services.extractor.engines.conversion import ConversionFailed
from prequel.services.extractor.engines.conversion_cache import ConversionCache, ConvertedNetwork
from prequel.shared.config import ConfigError, Settings

_GPU_DEVICES = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")))
"""Device files that the drivers of NVIDIA, AMD and Windows's Linux create: finding one takes microseconds, asking
Keras for its GPUs seconds."""

_log = logging.getLogger(__name__)


def load(settings: Settings, cache: Path, environ: Mapping[str, str], stop: threading.Event | None = None) -> Backbone:
    """The backbone that the settings ask for, ready to run.

    ``cache`` is a folder for converted networks, ``environ`` the environment of the process that converts, which is
    ended where ``stop`` is set. Takes well under a second from a warm cache (Keras is then not even imported), seconds
    from a cold one, longer on a GPU. Raises ConfigError, which names setting and remedy; ConversionInterrupted.
    """
    config = configure(settings)
    if settings.engine == "keras" or (settings.engine == "auto" and (_keras_has_gpu() or not find_spec("openvino"))):
        return _load_keras(settings, config)
    if not find_spec("openvino"):
        raise ConfigError("PREQUEL_ENGINE=openvino: OpenVINO is not installed; pip install openvino, or use keras")
    try:
        return _load_openvino(settings, config, ConversionCache(cache, environ, stop or threading.Event()))
    except (ConversionFailed, RuntimeError) as error:
        _log.warning("OpenVINO cannot run %s, Keras runs it instead, several times slower: %s", config.name, error)
        return _load_keras(settings, config)


def _load_openvino(settings: Settings, config: BackboneConfig, cache: ConversionCache) -> Backbone:
    network = cache.get(config)
    try:
        return _compile(settings, config, network)
    except RuntimeError as error:
        _log.warning("converting %s again: its file %s is damaged: %s", config.name, network.file, error)
        cache.remove(network)
        return _compile(settings, config, cache.get(config))


def _compile(settings: Settings, config: BackboneConfig, network: ConvertedNetwork) -> Backbone:
    from prequel.services.extractor.engines.openvino import OpenVinoBackbone

    return OpenVinoBackbone(
        network.file,
        id=network.id,
        dim=network.dim,
        size=config.size,
        precision=settings.precision,
        threads=settings.threads,
        batch=settings.batch,
    )


def _load_keras(settings: Settings, config: BackboneConfig) -> Backbone:
    try:
        from prequel.services.extractor.engines.keras import KerasBackbone
    except ImportError as error:
        raise ConfigError(
            f"Keras cannot start ({error}): install TensorFlow, JAX or PyTorch and set KERAS_BACKEND to "
            "tensorflow, jax or torch; or install OpenVINO and use PREQUEL_ENGINE=openvino"
        ) from error
    return KerasBackbone(config, precision=settings.precision, batch=settings.batch)


def _keras_has_gpu() -> bool:
    """Whether Keras would run on a GPU. Importing its backend takes seconds: only done if the machine has one."""
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
