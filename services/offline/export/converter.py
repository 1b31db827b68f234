"""Makes the other forms of a model out of its arrays, in a process of its own."""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from prequel.services.extractor.backbones.base import Choice
from prequel.services.learner.portable.archive import PortableModel, load
from prequel.services.offline.export.child import CANNOT, GIVEN, MADE
from prequel.shared.backbone_specs import parse_spec
from prequel.shared.config import ConfigError
from prequel.shared.model_files import CannotConvert, ModelFormat
from prequel.shared.runtime.deadlines import MODEL_CONVERSION_S

POLL_SECONDS = 0.2
"""Between two looks whether this process is to stop: Ctrl-C takes up to this long."""


PREFIX = "prequel-model-"
"""Of the temporary folders."""


class ChildConverter:
    """A shared.model_files.ModelConverter. ``choose`` finds the backbone of an id and raises ConfigError, ``environ``
    is the other process's environment; it is ended where ``stop`` is set."""

    def __init__(self, choose: Callable[[str], Choice], environ: Mapping[str, str], stop: threading.Event) -> None:
        self._choose, self._environ, self._stop = choose, environ, stop

    def __call__(self, data: bytes, format: ModelFormat) -> bytes:
        """As ModelConverter has it."""
        config = [json.dumps(self._backbone(load(data)).config)] if format == "keras" else []
        try:
            with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
                remove_leftovers(Path(folder))
                (Path(folder) / GIVEN).write_bytes(data)
                self._run([format, folder, *config])
                return (Path(folder) / MADE).read_bytes()
        except OSError as error:
            raise CannotConvert(f"the {format} file cannot be made here ({error}): export npz") from error

    def _backbone(self, model: PortableModel) -> Choice:
        backbone = model.meta.backbone
        if not (spec := parse_spec(backbone)) or not spec.digest:
            raise CannotConvert(
                f"the stream's features are {backbone}, which is no backbone of Prequel's: a Keras file begins with "
                "images; export onnx or npz, which begin with features"
            )
        try:
            return self._choose(backbone)
        except ConfigError as error:
            raise CannotConvert(str(error)) from None

    def _run(self, arguments: list[str]) -> None:
        command = [sys.executable, "-P", "-m", "prequel.services.offline.export.child", *arguments]
        environ = dict(self._environ)
        if find_spec("openvino"):  # As engines/conversion.py: it begins in a tenth of TensorFlow's time.
            environ["KERAS_BACKEND"] = "openvino"
        with subprocess.Popen(
            command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        ) as child:
            errors = self._wait(child)
        if child.returncode == CANNOT:
            raise CannotConvert(errors.strip().splitlines()[-1])
        if child.returncode != 0:
            why = " ".join(errors.split())[-300:]
            raise CannotConvert(f"the process that makes the file ended with {child.returncode}: {why or 'no reason'}")

    def _wait(self, child: "subprocess.Popen[str]") -> str:
        """What it wrote to standard error. Raises CannotConvert where it was stopped, or takes too long."""
        for _ in range(int(MODEL_CONVERSION_S / POLL_SECONDS)):
            try:
                return child.communicate(timeout=POLL_SECONDS)[1]
            except subprocess.TimeoutExpired:
                if self._stop.is_set():
                    child.kill()
                    raise CannotConvert("interrupted: give the same command again to begin anew") from None
        child.kill()
        raise CannotConvert(
            f"the file was not made within {MODEL_CONVERSION_S:g} s: export npz, or try a faster machine"
        )


def remove_leftovers(folder: Path) -> None:
    """Remove the folders beside this one that a process left when it was killed: a conversion that runs made its own
    within MODEL_CONVERSION_S."""
    now = folder.stat().st_mtime
    for other in folder.parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # Of another user, or removed just now.
            if now - other.stat().st_mtime > 2 * MODEL_CONVERSION_S:
                shutil.rmtree(other)
