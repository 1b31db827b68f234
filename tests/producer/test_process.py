"""The real commands as a user types them: `prequel demo`, and `prequel stream` stopped by Ctrl-C and typed again."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT, Up, eventually

DIGITS = 1_797
ENDED_S = 90.0


def test_the_demo_ends_by_itself_with_an_accuracy_to_show(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    ended = up.run("demo", "--summary", str(tmp_path / "summary.json"), "--port", "0")
    assert ended.returncode == 0, ended.stderr
    assert "Prequel is at http://127.0.0.1:" in ended.stdout
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["images"], summary["labelled"]) == (DIGITS, DIGITS)
    assert summary["accuracy"] >= 0.93
    assert summary["window_accuracy"] >= summary["accuracy"]
    assert summary["images_per_second"] > 0
    assert f"accuracy {summary['accuracy']:.4f} since the stream began" in ended.stdout


def output_of(process: "subprocess.Popen[str]") -> str:
    """Its output, once it has ended; where it does not, the test fails with the stacks of all its threads."""
    try:
        output, _ = process.communicate(timeout=ENDED_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        output, _ = process.communicate(timeout=ENDED_S)
        pytest.fail(f"it did not end within {ENDED_S:g} s:\n{output}")
    return output


def test_ctrl_c_and_again(tmp_path: Path) -> None:
    with Up(tmp_path / "data") as up:
        eventually(up.ready, "ready")
        command = ("stream", "digits", "--stream", "digits", "--url", up.url)
        streaming = subprocess.Popen(
            [sys.executable, "-m", "services", *command, "--rate", "300"],
            cwd=ROOT,
            env=up.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        eventually(lambda: up.images("digits") >= 100, "a hundred digits learned")
        streaming.send_signal(signal.SIGINT)
        output = output_of(streaming)
        assert streaming.returncode == 130, output
        assert "of 1,797 images sent" in output
        assert "give the same command again to continue" in output
        assert "Traceback" not in output
        assert 100 <= up.images("digits") < DIGITS
        again = up.run(*command)
        assert again.returncode == 0, again.stderr
        assert "already known and not sent again" in again.stdout
        status = json.loads(up.run("status", "digits", "--json", "--url", up.url).stdout)
        assert (status["images"], status["labelled"]) == (DIGITS, DIGITS)


def test_what_a_user_gets_without_a_gateway(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    for command in (("stream", "digits", "--stream", "digits"), ("label", "digits", "a", "b"), ("status",)):
        ended = up.run(*command, "--url", up.url)
        assert ended.returncode == 1
        assert "start one with `prequel up`" in ended.stderr
        assert "Traceback" not in ended.stderr
