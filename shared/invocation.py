"""How people run this installation's commands: `prequel`, the path of one that is not on the PATH, or a container's."""

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

NAME = "prequel"
DEFAULT_URL = "http://127.0.0.1:8000"
"""Where commands look for a gateway unless they are told."""
COMPOSE_URL = "http://gateway:8000"
"""Where the containers of docker-compose.yml reach it."""
IMAGE_PROGRAM = Path("/opt/prequel/bin/prequel")
"""Where our Dockerfile puts it; that others develop in a container of their own is no reason to send them to ours."""


class Invocation(NamedTuple):
    """``program`` is what to type, for a POSIX shell; in a ``container`` it is typed inside, where few people are.

    ``url`` is where the commands find the gateway untold; in a container, where the others beside it do.
    """

    program: str = NAME
    container: bool = False
    url: str = DEFAULT_URL


def invocation(script: str, python: str, folder: Path, environ: Mapping[str, str]) -> Invocation:
    """Of a process that was started as ``script`` in ``folder``, by this ``python`` and in this environment."""
    path = Path(script).absolute()
    if path == IMAGE_PROGRAM:
        return Invocation() if "KUBERNETES_SERVICE_HOST" in environ else Invocation(container=True, url=COMPOSE_URL)
    if path.stem != NAME:
        return Invocation(f"{_short(Path(python), folder)} -m prequel.services")
    found = shutil.which(NAME, path=environ.get("PATH", ""))
    on_path = found is not None and Path(found).resolve() == path.resolve()
    return Invocation(NAME if on_path else _short(path, folder))


def _short(path: Path, folder: Path) -> str:
    """Relative to the folder that the process was started in; not resolved: a virtual environment holds links."""
    near = path.is_relative_to(folder)
    return shlex.quote(str(path.relative_to(folder) if near else path))
