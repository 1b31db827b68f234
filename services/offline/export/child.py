"""The process that makes a Keras or ONNX file: Keras takes seconds and hundreds of megabytes, which end with it."""

import json
import socket
import sys
from pathlib import Path

from prequel.services.extractor.backbones.base import BackboneConfig
from prequel.services.learner.portable.archive import PortableModel, load
from prequel.shared.config import ConfigError
from prequel.shared.model_files import CannotConvert
from prequel.shared.runtime.deadlines import DOWNLOAD_SILENCE_S

CANNOT = 78
"""The exit code where no such file can be made; the last line on standard error says why."""
GIVEN, MADE = "model.npz", "made"
"""The files in the folder that both processes know."""


def main(arguments: list[str]) -> int:
    """``FORMAT FOLDER [CONFIG]``: make MADE out of GIVEN in the folder; CONFIG is the backbone's, as JSON."""
    socket.setdefaulttimeout(DOWNLOAD_SILENCE_S)  # Keras downloads weights without one.
    format, folder = arguments[0], Path(arguments[1])
    model = load((folder / GIVEN).read_bytes())
    try:
        if format == "onnx":
            _write_onnx(model, folder / MADE)
        else:
            _write_keras(model, BackboneConfig(*json.loads(arguments[2])), folder)
    except (CannotConvert, ConfigError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return CANNOT
    return 0


def _write_onnx(model: PortableModel, file: Path) -> None:
    try:
        from prequel.services.offline.export import onnx_file
    except ImportError as error:
        raise CannotConvert(f"ONNX files need onnx ({error}): pip install 'prequel-stream[offline]'") from None
    file.write_bytes(onnx_file.write(model))


def _write_keras(model: PortableModel, config: BackboneConfig, folder: Path) -> None:
    try:
        from prequel.services.offline.export import keras_file
    except ImportError as error:
        raise CannotConvert(
            f"Keras files need Keras and a backend for it ({error}): pip install keras tensorflow, or export npz here "
            "and run `prequel export ... --format keras` where they are"
        ) from None
    keras_file.write(model, config, folder / f"{MADE}.keras")  # Keras asks for this ending.
    (folder / f"{MADE}.keras").rename(folder / MADE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
