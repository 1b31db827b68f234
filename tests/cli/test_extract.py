"""The command `extract`: its errors before anything is loaded, and its exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from prequel.services.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "--out", "f.npz"], 1, "nowhere does not exist"),
        (["digits", "--out", "f.txt"], 1, "f.txt is no feature file by its name: name it features.parquet"),
        (["digits", "--labels", "folder", "--out", "f.npz"], 1, "digits have labels of their own"),
        (["digits", "--shuffle", "1", "--order", "as-is", "--out", "f.npz"], 2, "contradict each other"),
        (["digits", "--backbone", "nonsense", "--out", "f.npz"], 2, "unknown backbone nonsense"),
        (["digits", "--backbone", "resnet50-avg", "--pooling", "max", "--out", "f.npz"], 2, "the pooling in one place"),
        (["digits", "--batch", "0", "--out", "f.npz"], 2, "PREQUEL_BATCH"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["extract", *arguments]) == code
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_what_installs_it(tmp_path: Path) -> None:
    script = "import sys; sys.modules['pyarrow'] = None; from prequel.services.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", script, "extract", "digits", "--out", str(tmp_path / "f.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "extract needs pyarrow: pip install 'prequel-stream[offline]'" in done.stderr
