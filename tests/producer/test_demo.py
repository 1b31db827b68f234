"""The demo's exit code and its summary, on a gateway of the test's."""

import json
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.commands.demo import STREAM, Demo
from prequel.shared.log.base import IMAGES
from tests.producer.conftest import System, rejected
from tests.producer.test_commands import printed


def demo(client: Client, console: Console, stop: threading.Event, *, summary: Path, url: str) -> int:
    shown = Demo(console, stop=stop, clock=time.monotonic, stay=False, summary=summary)
    shown.start(client, url)
    return shown.finish()


@pytest.mark.parametrize("name", ["no-such-folder/summary.json", "."])
def test_a_summary_that_cannot_be_written_ends_it_before_anything_is_streamed(
    name: str, client: Client, console: Console, stop: threading.Event, system: System, tmp_path: Path
) -> None:
    assert demo(client, console, stop, summary=tmp_path / name, url=system.url) == 1
    assert f"prequel demo: cannot write --summary {tmp_path / name} (" in printed(console)
    assert stop.is_set()
    assert system.log.bounds(IMAGES)[0].end == 0


def test_no_prediction_is_a_failure(
    client: Client, console: Console, stop: threading.Event, system: System, tmp_path: Path
) -> None:
    system.extractor.features = rejected
    assert demo(client, console, stop, summary=tmp_path / "summary.json", url=system.url) == 1
    assert json.loads((tmp_path / "summary.json").read_text())["stream"] == STREAM
