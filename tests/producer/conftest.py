"""The whole system in one process, over the embedded log and store; only the backbone is a mean colour."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from prequel.services.producer.client import Client, connect
from prequel.services.producer.commands.stream import stream_images
from prequel.services.producer.summary import Summary
from prequel.shared.config import Settings
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Label
from prequel.shared.log.base import EXAMPLES, Record
from prequel.shared.vectors import Vector
from tests.servers.one_process import FunctionExtractor, OneProcess

Stream = Callable[..., Summary]
"""Streams a source: see ``streaming``."""

COLOURS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200)}


def mean_colour(data: bytes) -> Vector:
    """Three features between 0 and 1. Raises OSError where the bytes are no image."""
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)
    mean: Vector = pixels.mean((0, 1)) / np.float32(255)
    return mean


def rejected(data: bytes) -> Vector:
    """Features of nothing: what an extractor has that rejects every image."""
    raise OSError


class System(OneProcess):
    """Its features are the mean colour."""

    def __init__(self, folder: Path, **settings: object) -> None:
        extractor = FunctionExtractor("mean-colour", mean_colour, ("undecodable", "so says the test"))
        super().__init__(folder, Settings.model_validate({"models": "nearest", **settings}), extractor)

    def labels(self) -> list[Label]:
        """The label events in the log, in its order."""
        return [event for event in map(decode_example, self.records(EXAMPLES)) if isinstance(event, Label)]

    def records(self, topic: str) -> list[Record]:
        reader = self.log.follow(topic, {0: 0})
        found: list[Record] = []
        while more := reader.poll(1_000, 0):
            found += more
        reader.close()
        return found


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with ExitStack() as stack:
        started = System(tmp_path / "data")
        stack.callback(started.close)
        yield started


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def client(system: System, stop: threading.Event) -> Iterator[Client]:
    with connect(system.url, None, stop=stop, clock=time.monotonic, timeout_s=60) as connected:
        yield connected


@pytest.fixture
def console() -> Console:
    """Not a terminal; what was printed is in ``console.file.getvalue()``."""
    return Console(file=io.StringIO(), width=500)


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a folder of so many images a class, each with other bytes."""

    def make(images_per_class: int) -> Path:
        root = tmp_path / "photos"
        for number, (name, colour) in enumerate(COLOURS.items()):
            (root / name).mkdir(parents=True)
            for shade in range(images_per_class):
                pixels = np.full((4, 4, 3), colour, np.uint8)
                pixels[0, 0] = (shade % 256, shade // 256, number)
                Image.fromarray(pixels).save(root / name / f"{shade:04}.png")
        return root

    return make


@pytest.fixture
def stream(client: Client, console: Console, stop: threading.Event) -> Stream:
    return streaming(client, console, stop)


def streaming(client: Client, console: Console, stop: threading.Event) -> Stream:
    """A function that streams a source by the command's own one; its keywords are those of ``stream_images``."""

    def run(source: Path | str, name: str = "colours", **options: object) -> Summary:
        return stream_images(
            client,
            name,
            str(source),
            console=console,
            stop=stop,
            clock=time.monotonic,
            **options,  # type: ignore[arg-type]
        )

    return run
