"""What the command line makes of this user's system: no home, odd paths, Ctrl-C while it starts."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.__main__ import _cache, main
from shared.config import ConfigError, Settings
from tests.e2e.processes import DEADLINE_S, ROOT, eventually, free_port


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container's user has it whom nobody wrote into /etc/passwd."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_needs_a_cache_by_name() -> None:
    assert _cache(Settings.model_validate({"cache": "/cache"})) == Path("/cache")
    with pytest.raises(ConfigError, match=r"PREQUEL_CACHE is not set, and this user has no home .*: name a folder"):
        _cache(Settings.model_validate({}))


def test_ctrl_c_while_the_backbone_is_converted_ends_the_process(tmp_path: Path) -> None:
    given = {"PREQUEL_DATA": str(tmp_path), "PREQUEL_CACHE": str(tmp_path / "cache"), "PREQUEL_OPS_PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "services", "up", "--port", str(free_port())],
        cwd=ROOT,
        env={**os.environ, **given, "PREQUEL_ENGINE": "auto"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    eventually(lambda: list(tmp_path.glob("cache/converting-*")), "a conversion has begun")
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, said
    assert "Keras runs it instead" not in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("cache/converting-*")), "half a conversion was left behind"


def test_the_doctor_prints_paths_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "[bold]a[" / "[" / "cat:cat:[red]"
    monkeypatch.setenv("PREQUEL_WEIGHTS", f"{folder}/none.h5")
    assert main(["doctor", "--data", str(folder)]) == 1
    said = capsys.readouterr().out
    assert f"sqlite:///{folder}" in said
    assert f"{folder}/none.h5" in said


@pytest.mark.parametrize(
    ("models", "said"), [("slad", "PREQUEL_MODELS=slad"), ("river:naive_bayes.GaussianNB", "PREQUEL_SNAPSHOT_KEY")]
)
def test_a_rebuild_refuses_models_that_a_learner_would_refuse(
    models: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREQUEL_MODELS", models)
    assert main(["rebuild", "--data", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
