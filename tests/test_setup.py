"""The set-up is locked: every package pinned with its hashes, nothing that names where packages come from."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRIES = re.split(r"\n(?=[a-z0-9])", LOCK.strip())


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required() -> Iterator[str]:
    """The names of all packages that pyproject.toml asks for, but the project's own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    for requirements in (project["project"]["dependencies"], *extras, *project["dependency-groups"].values()):
        yield from (normal(re.split(r"[^A-Za-z0-9._-]", each)[0]) for each in requirements)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.split("==")[0])
def test_every_package_is_pinned_with_hashes(entry: str) -> None:
    assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==\S+", entry)
    assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry)


def test_the_lock_has_everything_that_is_required() -> None:
    locked = {normal(re.split(r"[=\[]", entry)[0]) for entry in ENTRIES}
    missing = sorted(set(required()) - {"prequel-stream"} - locked)
    assert not missing, f"run `make lock`: {', '.join(missing)}"


@pytest.mark.parametrize("file", ["requirements.lock", "pyproject.toml", "Makefile", ".ci/run"])
def test_no_file_says_where_packages_come_from(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"://|index-url|trusted-host", text.replace("http://127.0.0.1", ""))


def test_make_refuses_a_python_that_does_not_fit(tmp_path: Path) -> None:
    """In an empty folder, with an old python3 and a shell on the path and nothing else."""
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    old = programs / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.6"\nexit 1\n')
    old.chmod(0o755)
    (programs / "sh").symlink_to("/bin/sh")
    make = shutil.which("make")
    assert make, "these tests are started by make"
    done = subprocess.run(
        [make, "check"], cwd=tmp_path, env={"PATH": str(programs)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13; here is Python 3.9.6" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()
