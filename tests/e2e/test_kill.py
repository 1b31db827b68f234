"""kill -9 of the whole process in mid-stream, again and again: nothing lost, nothing learned twice, bit-equal."""

import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.producer.client import connect
from prequel.services.producer.commands.stream import stream_images
from prequel.services.producer.summary import Summary
from tests.e2e.processes import Up, eventually, scanned

DIGITS, FEW = 900, 300
"""As many as five kills need to come in mid-stream, and one signal."""


class Streaming(threading.Thread):
    """Streams a folder, with labels delayed by 20 images, to a gateway that restarts."""

    def __init__(self, up: Up, folder: Path) -> None:
        super().__init__()
        self.summary: Summary | None = None
        self.up, self.folder = up, folder

    def run(self) -> None:
        stop = threading.Event()
        with closing(connect(self.up.url, None, stop=stop, clock=time.monotonic)) as client:
            self.summary = stream_images(
                client,
                "digits",
                str(self.folder),
                labels="folder",
                shuffle=1,
                label_delay=20,
                console=Console(quiet=True),
                stop=stop,
                clock=time.monotonic,
            )


def test_a_killed_process_continues_after_a_restart(tmp_path: Path) -> None:
    with Up(tmp_path / "data", {"PREQUEL_CHECKPOINT_SECONDS": "0.3"}) as up:
        eventually(up.ready, "ready")
        streaming = Streaming(up, scanned(tmp_path / "digits", DIGITS))
        streaming.start()
        for reached in (60, 200, 400, 600, 750):
            eventually(lambda reached=reached: up.images("digits") >= reached, f"{reached} images")  # type: ignore[misc]
            up.kill()
            up.start()
        streaming.join(120)
        assert not streaming.is_alive()
        assert streaming.summary is not None
        assert streaming.summary.sent == DIGITS
        eventually(lambda: up.images("digits") == DIGITS, "all digits learned, each once")
        assert up.terminate() == 0
        verdict = up.run("rebuild", "--verify")
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr
        assert "bit-equal" in verdict.stdout
        assert f"{DIGITS:,}" in verdict.stdout.split()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_batch_and_snapshots_and_exits_with_zero(number: int, tmp_path: Path) -> None:
    with Up(tmp_path / "data", {"PREQUEL_CHECKPOINT_SECONDS": "1000"}) as up:
        eventually(up.ready, "ready")
        sent = up.run("stream", str(scanned(tmp_path / "digits", FEW)), "--stream", "digits", "--url", up.url)
        assert sent.returncode == 0, sent.stdout + sent.stderr
        assert up.terminate(number) == 0, up.output
        verdict = up.run("rebuild", "--verify")
        assert "bit-equal" in verdict.stdout, verdict.stdout + verdict.stderr
