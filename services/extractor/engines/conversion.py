"""The conversion of a Keras network for OpenVINO, in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prequel.services.extractor.backbones.base import BackboneConfig
from prequel.shared.config import ConfigError
from prequel.shared.errors import PrequelError
from prequel.shared.runtime.deadlines import CONVERTER_SIGNAL_S, DOWNLOAD_SILENCE_S

POLL_SECONDS = 0.2
"""Between two looks, during a conversion, whether the process is to stop: Ctrl-C takes up to this long."""

WRONG_SETTING = 78
"""The converter's exit code for a ConfigError, its message being the last line on standard error; EX_CONFIG of
sysexits.h, which Python itself never ends with."""

OUTPUT, MODEL, ABOUT = "whole", "model.xml", "about.json"


class ConversionFailed(PrequelError):
    """Keras or OpenVINO could not convert this network; Keras itself may still run it."""


class ConversionInterrupted(PrequelError):
    """The conversion was stopped, by Ctrl-C for instance; that says nothing about the network."""


def convert(config: BackboneConfig, folder: Path, environ: Mapping[str, str], stop: threading.Event) -> None:
    """Write the network's graph, weights, id and dimension into the folder OUTPUT of ``folder``.

    In a process that runs Keras on its OpenVINO backend, whatever KERAS_BACKEND is here: converting takes a tenth of a
    second instead of TensorFlow's ten, needs no TensorFlow, and none of its memory stays in this process.
    ``environ`` is that process's environment; it is ended where ``stop`` is set. Blocks for some seconds. Raises
    ConfigError, ConversionFailed, ConversionInterrupted.
    """
    command = [sys.executable, "-m", "prequel.services.extractor.engines.conversion", json.dumps(config), str(folder)]
    path = os.pathsep.join(filter(None, sys.path))
    environ = {**environ, "KERAS_BACKEND": "openvino", "PYTHONPATH": path}
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
    with subprocess.Popen(command, env=environ, **pipes) as child:
        errors = _wait(child, stop)
    if child.returncode == WRONG_SETTING:
        raise ConfigError(errors.strip().splitlines()[-1])
    # A signal ends Python with its number, or during its start-up with exit code 1 and a traceback.
    if child.returncode in (-signal.SIGINT, -signal.SIGTERM) or "KeyboardInterrupt" in errors:
        raise ConversionInterrupted("the conversion of the backbone was interrupted")
    if child.returncode != 0:
        raise ConversionFailed(f"exit {child.returncode}: {' '.join(errors.split())[-500:]}")


def _wait(child: "subprocess.Popen[str]", stop: threading.Event) -> str:
    """Wait until the process ends; what it wrote to standard error.

    Ctrl-C at a terminal reaches it by itself; a SIGTERM to this process does not, so it is passed on.
    """
    terminating_s = 0.0
    while True:
        try:
            return child.communicate(timeout=POLL_SECONDS)[1]
        except subprocess.TimeoutExpired:
            if stop.is_set():
                (child.terminate if terminating_s < CONVERTER_SIGNAL_S else child.kill)()
                terminating_s += POLL_SECONDS


def main(arguments: list[str]) -> int:
    """The other process: build the network in Keras, trace it, write model.xml, model.bin, about.json."""
    from prequel.services.extractor.engines import networks, openvino

    socket.setdefaulttimeout(DOWNLOAD_SILENCE_S)  # Keras downloads weights without one.
    config, folder = BackboneConfig(*json.loads(arguments[0])), Path(arguments[1]) / OUTPUT
    folder.mkdir()
    try:
        network, id = networks.build_fastest(config, "float32")
    except ConfigError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return WRONG_SETTING
    openvino.write(lambda source: networks.trace(network, source), config.size, folder / MODEL)
    (folder / ABOUT).write_text(json.dumps({"id": id, "dim": int(network.output_shape[-1])}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
