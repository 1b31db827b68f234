"""Conversion of Keras networks for OpenVINO, in a process of its own, and the cache of what was converted."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from prequel.services.extractor.backbones.base import IMAGENET, Recipe
from prequel.shared.config import ConfigError
from prequel.shared.runtime.deadlines import CONVERTER_SIGNAL_S

FORMAT = 1
"""Raise it when the same recipe, Keras and OpenVINO give another file than before."""

LOOK_SECONDS = 0.2
"""How often whoever waits for a conversion looks whether it is still wanted."""

WRONG_SETTING = 78
WHOLE, MODEL, ABOUT = "whole", "model.xml", "about.json"


class ConversionFailed(Exception):
    """Keras or OpenVINO could not convert this network; Keras itself may still run it."""


class Interrupted(Exception):
    """Somebody stopped the conversion, as Ctrl-C does; it says nothing about the network."""


class Converted(NamedTuple):
    """A network that OpenVINO can read, with the id and the dimension of its vectors."""

    file: Path
    id: str
    dim: int


def converted(recipe: Recipe, cache: Path, environ: Mapping[str, str], stop: threading.Event) -> Converted:
    """From the cache, else converted now, which takes some seconds and the memory of Keras in another process.

    That process runs Keras on its own OpenVINO backend, whatever KERAS_BACKEND is here: converting takes a tenth of a
    second instead of TensorFlow's ten, needs no TensorFlow, and none of it stays in this process.
    ``environ`` is what that process gets; it is ended where ``stop`` is set. Raises ConfigError (weights, size, cache),
    ConversionFailed, Interrupted.
    """
    folder = cache / _key(recipe)
    with _usable(cache):
        if not (folder / ABOUT).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix="converting-") as scratch:
                _convert(recipe, Path(scratch), environ, stop)
                _publish(Path(scratch), folder)
        about = json.loads((folder / ABOUT).read_text())
    return Converted(folder / MODEL, about["id"], about["dim"])


def forget(converted: Converted) -> None:
    """Remove a network from the cache. Raises ConfigError."""
    folder = converted.file.parent
    with _usable(folder.parent):
        shutil.rmtree(folder)


@contextmanager
def _usable(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"PREQUEL_CACHE={cache} cannot be used ({error.strerror or error}): set it to a folder that this user may "
            "write, on a disk with room for the backbone"
        ) from error


def _key(recipe: Recipe) -> str:
    """Everything that decides the file, weights by content."""
    if recipe.weights != IMAGENET:
        recipe = recipe._replace(weights=_digest(recipe.weights))
    parts = (FORMAT, version("keras"), version("openvino"), *recipe)
    return f"{recipe.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def _digest(weights: str) -> str:
    try:
        with Path(weights).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(
            f"PREQUEL_WEIGHTS={weights} cannot be read ({error.strerror or error}): give this user read access to it"
        ) from error


def _convert(recipe: Recipe, folder: Path, environ: Mapping[str, str], stop: threading.Event) -> None:
    command = [sys.executable, "-m", "prequel.services.extractor.engines.conversion", json.dumps(recipe), str(folder)]
    path = os.pathsep.join(filter(None, sys.path))
    environ = {**environ, "KERAS_BACKEND": "openvino", "PYTHONPATH": path}
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
    with subprocess.Popen(command, env=environ, **pipes) as child:
        said = _last_words(child, stop)
    if child.returncode == WRONG_SETTING:
        raise ConfigError(said.strip().splitlines()[-1])
    # Python ends by the signal too, but by exit code 1 where it came before the first line of ours.
    if child.returncode in (-signal.SIGINT, -signal.SIGTERM) or "KeyboardInterrupt" in said:
        raise Interrupted("the conversion of the backbone was interrupted")
    if child.returncode != 0:
        raise ConversionFailed(f"exit {child.returncode}: {' '.join(said.split())[-500:]}")


def _last_words(child: "subprocess.Popen[str]", stop: threading.Event) -> str:
    """What the process complained of, once it has ended. Ctrl-C reaches it by itself, what ends only us does not."""
    asked = 0.0
    while True:
        try:
            return child.communicate(timeout=LOOK_SECONDS)[1]
        except subprocess.TimeoutExpired:
            if stop.is_set():
                (child.terminate if asked < CONVERTER_SIGNAL_S else child.kill)()
                asked += LOOK_SECONDS


def _publish(scratch: Path, folder: Path) -> None:
    """Rename into place, whole and durable; where somebody else has just put an equal one, that one stays."""
    for file in (scratch / WHOLE).iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    try:
        (scratch / WHOLE).rename(folder)
    except OSError:
        if not (folder / ABOUT).is_file():
            raise


def main(arguments: list[str]) -> int:
    """What the other process does: build the recipe in Keras, trace it, write model.xml, model.bin, about.json."""
    from prequel.services.extractor.engines import keras, openvino

    recipe, folder = Recipe(*json.loads(arguments[0])), Path(arguments[1]) / WHOLE
    folder.mkdir()
    try:
        network, id = keras.build_fastest(recipe, "float32")
    except ConfigError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return WRONG_SETTING
    openvino.write(lambda source: keras.trace(network, source), recipe.size, folder / MODEL)
    (folder / ABOUT).write_text(json.dumps({"id": id, "dim": int(network.output_shape[-1])}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
