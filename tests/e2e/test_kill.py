"""kill -9 of the whole process in mid-stream, again and again: nothing lost, nothing learned twice, bit-equal."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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


def test_a_table_of_corrections_continues_after_a_kill(tmp_path: Path) -> None:
    """Every label is changed by `prequel label --csv`; the process is killed while the learner corrects them."""
    folder = scanned(tmp_path / "digits", DIGITS)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.png"))
    table = tmp_path / "labels.csv"
    table.write_text("file;label\r\n" + "".join(f"{file};{(int(file.parent.name) + 1) % 10}\r\n" for file in files))
    with Up(tmp_path / "data", {"PREQUEL_CHECKPOINT_SECONDS": "0.3"}) as up:
        eventually(up.ready, "ready")
        command = ("label", "digits", "--csv", str(table), "--folder", str(folder), "--url", up.url)
        assert up.run("stream", str(folder), "--stream", "digits", "--url", up.url).returncode == 0
        with ThreadPoolExecutor(1) as thread:
            labelling = thread.submit(up.run, *command)
            eventually(lambda: corrected(up) > 0, "some corrected")
            up.kill()
            up.start()
            first = labelling.result()
        again = up.run(*command)
        assert (first.returncode, again.returncode) == (0, 0), first.stdout + first.stderr + again.stderr
        assert f"{DIGITS} of {DIGITS} labels sent" in first.stdout
        assert f"{DIGITS} unchanged" in again.stdout
        assert corrected(up) == DIGITS
        assert up.terminate() == 0
        assert "bit-equal" in up.run("rebuild", "--verify").stdout


def corrected(up: Up) -> int:
    with connect(up.url, None, stop=threading.Event(), clock=time.monotonic) as client:
        status = client.stream("digits")
        return status.statuses.get("corrected", 0) if status else 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_batch_and_snapshots_and_exits_with_zero(number: int, tmp_path: Path) -> None:
    with Up(tmp_path / "data", {"PREQUEL_CHECKPOINT_SECONDS": "1000"}) as up:
        eventually(up.ready, "ready")
        sent = up.run("stream", str(scanned(tmp_path / "digits", FEW)), "--stream", "digits", "--url", up.url)
        assert sent.returncode == 0, sent.stdout + sent.stderr
        assert up.terminate(number) == 0, up.output
        verdict = up.run("rebuild", "--verify")
        assert "bit-equal" in verdict.stdout, verdict.stdout + verdict.stderr
