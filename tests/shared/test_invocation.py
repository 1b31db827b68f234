"""How commands are to be typed is derived from how this process was started."""

from pathlib import Path

import pytest

from prequel.shared.invocation import Invocation, invocation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a virtual environment that holds the program."""
    program = tmp_path / "a project" / ".venv" / "bin" / "prequel"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    return tmp_path / "a project"


def program(script: str, folder: Path, path: str = "", python: str = "/usr/bin/python3") -> str:
    return invocation(script, python, folder, {"PATH": path}).program


def test_of_a_virtual_environment_that_nobody_entered(folder: Path) -> None:
    assert program(str(folder / ".venv/bin/prequel"), folder) == ".venv/bin/prequel"


def test_of_one_that_is_on_the_path(folder: Path) -> None:
    bin = str(folder / ".venv/bin")
    assert program(f"{bin}/prequel", folder, path=bin) == "prequel"


def test_of_one_in_another_folder_with_a_space(folder: Path) -> None:
    assert program(str(folder / ".venv/bin/prequel"), folder / "elsewhere") == f"'{folder}/.venv/bin/prequel'"


def test_of_a_module(folder: Path) -> None:
    python = str(folder / ".venv/bin/python")
    assert (
        program(str(folder / "services/__main__.py"), folder, python=python) == ".venv/bin/python -m prequel.services"
    )


def test_of_a_prequel_container(folder: Path) -> None:
    result = invocation("/opt/prequel/bin/prequel", "python", folder, {})
    assert result == Invocation(container=True, url="http://gateway:8000")


def test_of_a_prequel_pod(folder: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert invocation("/opt/prequel/bin/prequel", "python", folder, environ) == Invocation()
