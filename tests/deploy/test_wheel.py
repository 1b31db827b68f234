"""The wheel: what is in it, and that it works in an empty environment beside distributions `shared` and `services`."""

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import prequel
from tests.deploy import dockerfile
from tests.deploy.compose import ROOT

NAMESAKES = ("services", "shared")
"""Names of our folders that belong to other distributions on the package index."""

USES_TYPES = """
from prequel.shared.log.base import Position

reveal_type(Position(0, 5).offset)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the Dockerfile builds it: from what it copies, by its own command."""
    folder = tmp_path_factory.mktemp("wheel")
    instructions = dockerfile.stages()["wheel"].instructions
    for name, rest in instructions:
        if name == "COPY" and "locks" not in rest:
            for source in rest.split()[:-1]:
                _copy(ROOT / source, folder / source)
    build = instructions[-1][1].replace("/wheels", str(folder / "wheels"))
    subprocess.run([sys.executable, "-m", *build.split()], cwd=folder, check=True, capture_output=True, timeout=300)
    (built,) = (folder / "wheels").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel and its namesakes; third-party packages are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    wheels = [_namesake(name, tmp_path_factory.mktemp(name)) for name in NAMESAKES]
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "--no-index",
        "--no-deps",
    ]
    subprocess.run([*install, *map(str, (*wheels, wheel))], check=True, capture_output=True, timeout=300)
    # A plain line of a .pth file: packages are found there, but the links of our own editable install are not followed.
    (packages / "third-party.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_it_has_all_files_of_both_folders_and_nothing_beside_one_package(wheel: Path) -> None:
    packed = {each for each in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in each}
    expected = {"prequel/__init__.py", "prequel/py.typed"} | {
        f"prequel/{each.relative_to(ROOT).as_posix()}"
        for folder in NAMESAKES
        for each in (ROOT / folder).rglob("*")
        if each.is_file() and "__pycache__" not in each.parts
    }
    assert "prequel/services/extractor/backbones/weights/compact.weights.h5" in expected
    assert packed == expected


def test_its_name_and_version_are_those_of_the_project(wheel: Path) -> None:
    assert wheel.name == f"prequel_stream-{prequel.__version__}-py3-none-any.whl"


def test_its_namesakes_stay_whole_beside_it(environment: Path, tmp_path: Path) -> None:
    code = "import services, shared; print(services.OWNER, shared.OWNER)"
    assert _run(environment, tmp_path, "python", "-c", code).split() == ["somebody", "somebody"]


def test_the_whole_pipeline_runs_from_it(environment: Path, tmp_path: Path) -> None:
    """Started in an empty folder: nothing is found by luck, because the checkout is near."""
    assert _run(environment, tmp_path, "prequel", "--version").split() == ["prequel", prequel.__version__]
    shown = _run(environment, tmp_path, "prequel", "demo", "--exit", "--port", "0", "--models", "slda")
    assert "1,797" in shown, shown
    where = _run(environment, tmp_path, "python", "-c", "import prequel.shared; print(prequel.shared.__file__)")
    assert Path(where.strip()).is_relative_to(environment)


def test_it_runs_as_a_module_too(environment: Path, tmp_path: Path) -> None:
    assert prequel.__version__ in _run(environment, tmp_path, "python", "-m", "prequel.services", "--version")


RUNS_A_JOB = """
import time
from prequel.services.cli.composition import job_workers
from prequel.services.learner.replay.jobs.base import Job, JobFailed
from prequel.shared.config import Settings
from prequel.shared.log.base import EXAMPLES
from prequel.shared.runtime.backends import open_log

settings = Settings.model_validate({"data": "here"})
open_log(settings).partitions(EXAMPLES)
job = job_workers(settings).start(Job("unheard-of", {}))
while not job.poll():
    time.sleep(0.01)
try:
    job.outcome()
except JobFailed as error:
    print(error)
"""


def test_a_learner_starts_its_jobs_from_it(environment: Path, tmp_path: Path) -> None:
    assert "this Prequel has no job 'unheard-of'" in _run(environment, tmp_path, "python", "-c", RUNS_A_JOB)


def test_its_types_are_seen_by_who_uses_it(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "uses.py").write_text(USES_TYPES)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(environment / "bin" / "python")]
    done = subprocess.run(
        [*mypy, "--follow-imports", "silent", "uses.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert re.search(r'Revealed type is "(builtins\.)?int"', done.stdout), done.stdout + done.stderr
    assert done.returncode == 0, done.stdout


def _run(environment: Path, folder: Path, program: str, *arguments: str) -> str:
    """What a program of the environment prints, started in another folder and with no settings of ours."""
    done = subprocess.run(
        [environment / "bin" / program, *arguments],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _namesake(name: str, folder: Path) -> Path:
    """A wheel of somebody's distribution with a package of that name."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": 'OWNER = "somebody"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD")))
    return path


def _copy(source: Path, target: Path) -> None:
    """Without what other tests' processes write into the same folders meanwhile."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
