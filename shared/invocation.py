"""How to call this installation's commands: `prequel`, its path where it is not on the PATH, or in a container."""

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

NAME = "prequel"
DEFAULT_URL = "http://127.0.0.1:8000"
"""The gateway that commands use unless another is given."""
COMPOSE_URL = "http://gateway:8000"
"""The gateway's address for the containers of docker-compose.yml."""
IMAGE_PROGRAM = Path("/opt/prequel/bin/prequel")
"""Where the Dockerfile puts the program. Any other path is an installation of its own, even if it is in a container."""


class Invocation(NamedTuple):
    """``program`` is what to type, quoted for a POSIX shell. In a ``container`` it must be typed inside of it.

    ``url`` is the gateway that the commands use by default; in a container, the one that its neighbours reach.
    """

    program: str = NAME
    container: bool = False
    url: str = DEFAULT_URL


def invocation(script: str, python: str, folder: Path, environ: Mapping[str, str]) -> Invocation:
    """How to call the program that was started as ``script`` in ``folder`` by ``python``, in this environment."""
    path = Path(script).absolute()
    if path == IMAGE_PROGRAM:
        return Invocation() if "KUBERNETES_SERVICE_HOST" in environ else Invocation(container=True, url=COMPOSE_URL)
    if path.stem != NAME:
        return Invocation(f"{_short(Path(python), folder)} -m prequel.services")
    program = shutil.which(NAME, path=environ.get("PATH", ""))
    on_path = program is not None and Path(program).resolve() == path.resolve()
    return Invocation(NAME if on_path else _short(path, folder))


def _short(path: Path, folder: Path) -> str:
    """Relative to ``folder`` where that is shorter. Links are not resolved: a virtual environment consists of them."""
    return shlex.quote(str(path.relative_to(folder) if path.is_relative_to(folder) else path))
