"""Another backbone for a running stream, with real processes and two real backbones."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prequel.services.producer.client import connect
from prequel.shared.status import StreamStatus
from tests.e2e.processes import ROOT, Up, eventually, scanned
from tests.servers import plain_http

DIGITS, LATE, NEW = 800, 30, 10
OTHER = "compact-multi"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Up(tmp_path / "data", {"PREQUEL_CHECKPOINT_SECONDS": "0.5", "PREQUEL_BATCH": "4"}) as started:
        eventually(started.ready, "ready")
        yield started


def send(up: Up, folder: Path, stream: str = "digits", *options: str) -> None:
    done = up.run("stream", str(folder), "--stream", stream, "--url", up.url, "--yes", *options)
    assert done.returncode == 0, done.stdout + done.stderr


def status(up: Up, stream: str = "digits") -> StreamStatus:
    with connect(up.url, None, stop=threading.Event(), clock=time.monotonic) as client:
        found = client.stream(stream)
        assert found is not None
        return found


def other_features(up: Up) -> int:
    return sum(status(up).other_features.values())


def learned(up: Up, stream: str = "digits") -> dict[str, Any]:
    included = {"images", "labelled", "labels", "models", "dim", "backbone", "label_order", "sets", "random_sample"}
    return status(up, stream).model_dump(include=included)


def caught_up(up: Up) -> bool:
    return status(up).catching_up is None


def command(up: Up, do: str, stream: str = "digits", **arguments: str) -> None:
    answer = plain_http.post(f"{up.url}/v1/streams/{stream}/commands?wait=20", json={"do": do, **arguments}, timeout=60)
    assert answer.json()["status"] == "applied", answer.text


def reextract(up: Up, *options: str) -> str:
    done = up.run("reextract", "digits", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_stream_changes_its_backbone_while_images_come_and_the_work_is_killed(tmp_path: Path, up: Up) -> None:
    """Afterwards it is what a stream is that had the backbone from the beginning, and undo goes back."""
    folder, more, newest = (
        scanned(tmp_path / name, count)
        for name, count in (("a", DIGITS), ("b", DIGITS + LATE), ("c", DIGITS + LATE + NEW))
    )
    send(up, folder)
    before = learned(up)
    kill_in_the_middle(up)
    made = int(reextract(up, "--backbone", OTHER).split("features of ")[1].split()[0])
    assert 0 < made < DIGITS - 20
    assert learned(up) == before
    # Others come while it switches: the extractor makes features of the first backbone for some of them.
    sending = threading.Thread(target=send, args=(up, more, "digits", "--rate", "10"))
    sending.start()
    reextract(up, "--backbone", OTHER, "--switch", "--yes", "--url", up.url)
    sending.join()
    assert status(up).backbone.startswith(OTHER)
    send(up, newest)
    eventually(lambda: status(up).images == DIGITS + LATE + NEW, "every image learned, each once")
    # A replay puts those that came in between where they came: then it is as if it had had it from the beginning.
    command(up, "models.rebuild")
    eventually(lambda: caught_up(up), "rebuilt")
    command(up, "stream.create", "reference", backbone=OTHER)
    send(up, folder, "reference")
    send(up, more, "reference")
    send(up, newest, "reference")
    assert learned(up) == learned(up, "reference")
    history = json.loads(up.run("history", "digits", "--json", "--url", up.url).stdout)
    switch = next(command["id"] for command in history["commands"] if command["do"] == "stream.switch")
    command(up, "undo", command=switch)
    eventually(lambda: status(up).backbone == before["backbone"], "the first backbone")
    # Of the images that came while it had the other one there are no features of the first one yet.
    assert status(up).images <= DIGITS + LATE
    reextract(up, "--backbone", "compact")
    eventually(lambda: status(up).images == DIGITS + LATE + NEW, "every image learned, each once")
    assert up.terminate() == 0
    verified = up.run("rebuild", "--verify")
    assert "bit-equal" in verified.stdout, verified.stdout + verified.stderr


def kill_in_the_middle(up: Up) -> None:
    """What was done before the kill stays."""
    arguments = [sys.executable, "-m", "services", "reextract", "digits", "--backbone", OTHER]
    first = subprocess.Popen(arguments, cwd=ROOT, env=up.environment)
    try:
        eventually(lambda: other_features(up) > 20, "some features")
    finally:
        first.kill()
        first.wait()
