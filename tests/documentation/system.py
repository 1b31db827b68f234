"""A running Prequel in a temporary folder, in which the commands of the documents are executed."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from prequel.services.cli.parser import COMMANDS
from tests.documentation.pages import ROOT

PHOTOS = 12
"""Of each class: enough for a model to tell two colours apart, few enough to take a second."""

COLOURS = {"cat": (200, 90, 40), "dog": (40, 90, 200)}

SECONDS = 120
"""For one block: all of them take seconds, but the machine may be busy."""


CLONE_ANYWAY = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
"""For git, which refuses to clone a repository of another user: in a container the tree often is somebody else's."""


class StandIn(NamedTuple):
    """What is executed instead of a text of the documents, and why the text itself cannot be."""

    text: str
    instead: str
    reason: str


STAND_INS = (
    StandIn("<this repository>", str(ROOT), "the reader knows where the repository is"),
    StandIn(
        "make demo\n",
        f"mkdir .venv && ln -s {sys.prefix}/* .venv && touch .venv/.ready && PREQUEL_PORT=0 make demo\n",
        "installing the locked packages takes minutes, and port 8000 may be taken",
    ),
    StandIn(
        "PREQUEL_BACKBONE=mobilenetv2 PREQUEL_DATA=pets-data .venv/bin/prequel up\n",
        "",
        "it runs already, with `compact`: Keras would download the weights of mobilenetv2",
    ),
    StandIn(".venv/bin/prequel", "prequel", "the one on the PATH is given the address of the test's gateway"),
    StandIn("127.0.0.1:8000", "$GATEWAY", "port 8000 may be taken"),
)


def stand_in(text: str, address: str) -> str:
    for each in STAND_INS:
        text = text.replace(each.text, each.instead)
    return text.replace("$GATEWAY", address)


class System:
    """`prequel up` on a free port, with photographs to send in the folder where commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        photographs(self.folder)
        self._programs = folder / "bin"
        self._programs.mkdir()
        self._process = subprocess.Popen(
            [prequel(), "up"],
            cwd=self.folder,
            env=self._environment(PREQUEL_PORT="0"),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._announced()
        self._write_programs()

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """Execute a block of shell commands; the first that fails ends it."""
        return self._run(["bash", "-euo", "pipefail", "-c", stand_in(text, self.address)])

    def run_python(self, text: str) -> subprocess.CompletedProcess[str]:
        """Without the folder on the path (-P): the clone that README makes there is called `prequel` too."""
        return self._run([sys.executable, "-P", "-c", stand_in(text, self.address)])

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=SECONDS)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def _announced(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        found = re.search(r"http://([\d.:]+)", line)
        assert found, f"prequel up printed {line!r}"
        return found[1]

    def _write_programs(self) -> None:
        """A `prequel` that knows the gateway: its own default is port 8000."""
        script = (
            "#!/bin/sh\n"
            'case "$1" in\n'
            f'{"|".join(clients())}) exec {prequel()} "$@" --url http://{self.address} ;;\n'
            f'*) exec {prequel()} "$@" ;;\n'
            "esac\n"
        )
        path = self._programs / "prequel"
        path.write_text(script)
        path.chmod(0o755)
        (self._programs / "python").symlink_to(sys.executable)

    def _environment(self, **more: str) -> Mapping[str, str]:
        """Nothing that somebody has set for a Prequel of their own, and no proxy between here and here."""
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("PREQUEL_", "HTTP"))}
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        return kept | {"PATH": path, "PREQUEL_DATA": "pets-data", "NO_PROXY": "127.0.0.1"} | CLONE_ANYWAY | more


def clients() -> list[str]:
    """The commands that call a gateway."""
    named = [(command.name, argparse.ArgumentParser()) for command in COMMANDS]
    for command, (_, parser) in zip(COMMANDS, named, strict=True):
        command.add_arguments(parser)
    return [name for name, parser in named if "--url" in parser.format_help() and name != "doctor"]


def prequel() -> str:
    """The console script of the environment that the tests run in."""
    found = shutil.which("prequel", path=str(Path(sys.executable).parent))
    assert found, "the tests need the project installed, as `make test` does"
    return found


def photographs(folder: Path) -> None:
    """`my-photos/cat`, `my-photos/dog`, and one of each that is in neither."""
    random = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / "my-photos" / name).mkdir(parents=True)
        for number in range(PHOTOS):
            photograph(random, colour).save(folder / "my-photos" / name / f"{number}.jpg")
        photograph(random, colour).save(folder / f"{name}.jpg")


def photograph(random: np.random.Generator, colour: tuple[int, int, int]) -> Image.Image:
    noise = random.integers(-30, 30, (48, 64, 3))
    return Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8))
