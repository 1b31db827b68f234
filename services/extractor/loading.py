"""Loading: chooses the engine for this machine, and loads backbones into it."""

import logging
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from prequel.services.extractor.backbones.base import Backbone, BackboneConfig, Choice
from prequel.services.extractor.backbones.registry import choose
from prequel.services.extractor.engines.conversion import ConversionFailed
from prequel.services.extractor.engines.conversion_cache import ConversionCache, ConvertedNetwork
from prequel.shared.backbone_specs import matches
from prequel.shared.config import ConfigError, Settings

_GPU_DEVICES = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")))
"""Device files that the drivers of NVIDIA, AMD and Windows's Linux create: finding one takes microseconds, asking
Keras for its GPUs seconds."""

_log = logging.getLogger(__name__)


def load(settings: Settings, cache: Path, environ: Mapping[str, str], stop: threading.Event | None = None) -> Backbone:
    """The backbone that the settings ask for, as ``BackboneLoader`` loads it."""
    return BackboneLoader(settings, cache, environ, stop or threading.Event()).load(choose("", settings))


class BackboneLoader:
    """Loads backbones into the engine that the settings ask for, or that suits this machine.

    ``cache`` is a folder for converted networks, ``environ`` the environment of the process that converts, which is
    ended where ``stop`` is set.
    """

    def __init__(self, settings: Settings, cache: Path, environ: Mapping[str, str], stop: threading.Event) -> None:
        self._settings, self._cache = settings, ConversionCache(cache, environ, stop)

    def load(self, choice: Choice) -> Backbone:
        """The backbone, ready to run.

        Takes well under a second from a warm cache (Keras is then not even imported), seconds from a cold one, longer
        on a GPU and where weights are downloaded. Raises ConfigError, which names setting and remedy, also where the
        weights are not those of ``choice.digest``; ConversionInterrupted; OutOfMemory.
        """
        backbone = self._load(choice)
        if not matches(choice.spec, backbone.id):
            raise ConfigError(
                f"the weights here are those of {backbone.id}, not of {choice.spec}: set PREQUEL_WEIGHTS to the file "
                f"that it had, or to a folder that has it as {choice.config.name}.weights.h5"
            )
        return backbone

    def _load(self, choice: Choice) -> Backbone:
        if self._settings.engine == "keras" or (
            self._settings.engine == "auto" and (_keras_has_gpu() or not find_spec("openvino"))
        ):
            return self._load_keras(choice.config)
        if not find_spec("openvino"):
            raise ConfigError("PREQUEL_ENGINE=openvino: OpenVINO is not installed; pip install openvino, or use keras")
        try:
            return self._converted_before(choice) or self._load_openvino(choice.config)
        except (ConversionFailed, RuntimeError) as error:
            name = choice.config.name
            _log.warning("OpenVINO cannot run %s, Keras runs it instead, several times slower: %s", name, error)
            return self._load_keras(choice.config)

    def _converted_before(self, choice: Choice) -> Backbone | None:
        """By its id: the weights of a backbone that streams began with may no longer be where they were."""
        network = self._cache.find(choice.spec) if choice.digest else None
        try:
            return network and self._compile(choice.config, network)
        except RuntimeError:
            return None  # A damaged file: ``_load_openvino`` says so, and converts it again.

    def _load_openvino(self, config: BackboneConfig) -> Backbone:
        network = self._cache.get(config)
        try:
            return self._compile(config, network)
        except RuntimeError as error:
            _log.warning("converting %s again: its file %s is damaged: %s", config.name, network.file, error)
            self._cache.remove(network)
            return self._compile(config, self._cache.get(config))

    def _compile(self, config: BackboneConfig, network: ConvertedNetwork) -> Backbone:
        from prequel.services.extractor.engines.openvino import OpenVinoBackbone

        return OpenVinoBackbone(
            network.file,
            id=network.id,
            dim=network.dim,
            size=config.size,
            precision=self._settings.precision,
            threads=self._settings.threads,
            batch=self._settings.batch,
        )

    def _load_keras(self, config: BackboneConfig) -> Backbone:
        try:
            from prequel.services.extractor.engines.keras import KerasBackbone
        except ImportError as error:
            raise ConfigError(
                f"Keras cannot start ({error}): install TensorFlow, JAX or PyTorch and set KERAS_BACKEND to "
                "tensorflow, jax or torch; or install OpenVINO and use PREQUEL_ENGINE=openvino"
            ) from error
        return KerasBackbone(config, precision=self._settings.precision, batch=self._settings.batch)


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
