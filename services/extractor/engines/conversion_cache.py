"""The cache of networks that were converted for OpenVINO: a folder for each, found by what decides its content."""

import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from prequel.services.extractor.backbones.base import IMAGENET, BackboneConfig
from prequel.services.extractor.engines.conversion import ABOUT, MODEL, OUTPUT, convert
from prequel.shared.config import ConfigError

FORMAT = 1
"""Raise it when the same configuration, Keras and OpenVINO give another file than before."""


class ConvertedNetwork(NamedTuple):
    """A network that OpenVINO can read, with the id and the dimension of its vectors."""

    file: Path
    id: str
    dim: int


class ConversionCache:
    """Converts networks at their first use, and keeps them in ``folder``. Safe from several processes.

    ``environ`` is the environment of the process that converts, which is ended where ``stop`` is set.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], stop: threading.Event) -> None:
        self._folder, self._environ, self._stop = folder, environ, stop

    def get(self, config: BackboneConfig) -> ConvertedNetwork:
        """The network from the cache; where it is not there, convert it, in some seconds: see ``conversion.convert``.

        Raises ConfigError (weights, image size, cache folder), ConversionFailed, ConversionInterrupted.
        """
        folder = self._folder / _key(config)
        with _usable(self._folder):
            # ABOUT is written last: a folder without it is what a crash left.
            if not (folder / ABOUT).is_file():
                shutil.rmtree(folder, ignore_errors=True)
                self._convert(config, folder)
            about = json.loads((folder / ABOUT).read_text())
        return ConvertedNetwork(folder / MODEL, about["id"], about["dim"])

    def find(self, id: str) -> ConvertedNetwork | None:
        """The newest network of this id, whatever it was made of and by which version; None where there is none."""
        found = dict[float, ConvertedNetwork]()
        for file in self._folder.glob(f"*/{ABOUT}"):
            with suppress(OSError, json.JSONDecodeError):  # One that is being removed, or was damaged.
                about = json.loads(file.read_text())
                if about["id"] == id:
                    found[file.stat().st_mtime] = ConvertedNetwork(file.parent / MODEL, id, about["dim"])
        return found[max(found)] if found else None

    def remove(self, network: ConvertedNetwork) -> None:
        """Remove a network, so that ``get`` converts it again. Raises ConfigError."""
        with _usable(self._folder):
            shutil.rmtree(network.file.parent)

    def _convert(self, config: BackboneConfig, folder: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # In the cache's own folder: a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="converting-") as scratch:
            convert(config, Path(scratch), self._environ, self._stop)
            _publish(Path(scratch) / OUTPUT, folder)


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"PREQUEL_CACHE={folder} cannot be used ({error.strerror or error}): set it to a folder that this user may "
            "write, on a disk with room for the backbone"
        ) from error


def _key(config: BackboneConfig) -> str:
    """The name of a network's folder, from everything that decides its content; weights files by their content."""
    if config.weights != IMAGENET:
        config = config._replace(weights=_file_digest(config.weights))
    parts = (FORMAT, version("keras"), version("openvino"), *config)
    return f"{config.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def _file_digest(weights: str) -> str:
    try:
        with Path(weights).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(
            f"PREQUEL_WEIGHTS={weights} cannot be read ({error.strerror or error}): give this user read access to it"
        ) from error


def _publish(output: Path, folder: Path) -> None:
    """Rename the output into place, once it is on disk; where another process was faster, its equal result stays."""
    for file in output.iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    try:
        output.rename(folder)
    except OSError:
        if not (folder / ABOUT).is_file():
            raise
