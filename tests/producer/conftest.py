"""The whole system in one process, over the embedded log and store; only the backbone is a mean colour."""

import io
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prometheus_client import CollectorRegistry
from rich.console import Console

from prequel.services.gateway import app
from prequel.services.gateway.assembly import Dependencies
from prequel.services.gateway.http import serving
from prequel.services.learner.learner import Learner
from prequel.services.producer.client import Client, connect
from prequel.services.producer.commands.stream import stream_images
from prequel.services.producer.summary import Summary
from prequel.shared.config import Settings
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Label, Rejected
from prequel.shared.log.base import EXAMPLES, IMAGES, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.retention.usage import LogUsage
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed, Processor
from prequel.shared.runtime.runner import Runner
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import Registry
from tests.servers.ports import free_port

Stream = Callable[..., Summary]
"""Streams a source: see ``streaming``."""

COLOURS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200)}


class MeanColour:
    """An extractor of three features; what is no image it rejects, or all. ``open`` closed, it stands still."""

    name = "extractor"
    topic = IMAGES
    max_records = 32

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.rejects = False

    def restore(self, partition: int, generation: int) -> int | None:
        return None

    def process(self, records: Sequence[Record]) -> Processed:
        self.open.wait()
        messages, rejected = [], []
        for record in records:
            image = decode_image(record)
            try:
                if self.rejects:
                    raise OSError
                vector = np.asarray(Image.open(io.BytesIO(image.data)).convert("RGB"), np.float32).mean((0, 1)) / 255
            except OSError:
                rejected.append((record, Rejected("undecodable", "so says the test")))
            else:
                messages.append(encode_features(image, vector, "mean-colour", source="test"))
        return Processed(messages, rejected, {record.partition: record.offset + 1 for record in records})

    def poll_timeout(self) -> float:
        return 0.05

    def checkpoint(self, positions: Mapping[int, int]) -> None: ...

    def discard(self, partition: int) -> None: ...

    def hide_metrics(self, partition: int) -> None: ...


class System:
    """Log, store, gateway, extractor, learner; the gateway can go and come back at its port."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.settings = Settings(models="nearest", **settings)  # type: ignore[arg-type]
        self.log, self.store = SqliteLog(folder / "log"), SqliteStore(folder / "store.sqlite")
        self.health, self.metrics = Health(), Metrics(CollectorRegistry())
        self.extractor = MeanColour()
        self.usage: LogUsage | None = None
        self.learner = Learner(
            self.settings,
            log=self.log,
            store=self.store,
            registry=Registry(),
            metrics=self.metrics,
            clock=time.time,
            owner="test",
        )
        self._stop, self._port = threading.Event(), free_port()  # for as long as it lives, also while it is closed
        self._workers = [
            threading.Thread(target=self._work, args=(consumer,)) for consumer in (self.extractor, self.learner)
        ]
        for worker in self._workers:
            worker.start()
        self.open_gateway()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open_gateway(self) -> None:
        self._closing = threading.Event()
        application = app.create(
            Dependencies(
                settings=self.settings,
                log=self.log,
                store=self.store,
                queries=self.learner,
                metrics=Metrics(CollectorRegistry()),
                health=self.health,
                clock=time.time,
                new_id=lambda: uuid.uuid4().hex,
                usage=lambda: self.usage,
            )
        )
        listener = serving.listen("127.0.0.1", self._port)
        self._gateway = threading.Thread(target=serving.serve, args=(application, listener, self._closing))
        self._gateway.start()

    def close_gateway(self) -> None:
        self._closing.set()
        self._gateway.join()

    def stop_workers(self) -> None:
        """Extractor and learner finish what they have, snapshot and end."""
        self.extractor.open.set()
        self._stop.set()
        for worker in self._workers:
            worker.join()

    def close(self) -> None:
        self.close_gateway()
        self.stop_workers()
        self.log.close()
        self.store.close()

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

    def _work(self, processor: Processor) -> None:
        Runner(
            self.log,
            processor,
            group=f"prequel.{processor.name}",
            clock=time.time,
            metrics=self.metrics,
            health=self.health,
            checkpoint_seconds=0.2,
            checkpoint_events=1_000,
        ).run(self._stop)


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
