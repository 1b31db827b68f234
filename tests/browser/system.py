"""The whole system in one process for the browser to look at; only the backbone is an image of 8x8 pixels."""

import io
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from prometheus_client import CollectorRegistry

from prequel.services.gateway import app
from prequel.services.gateway.assembly import Dependencies
from prequel.services.gateway.http import serving
from prequel.services.learner.learner import Learner
from prequel.shared.config import Settings
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import IMAGES, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed, Processor
from prequel.shared.runtime.runner import Runner
from prequel.shared.store.sqlite import SqliteStore
from prequel.shared.vectors import Vector
from tests.learner.building import Registry
from tests.servers import plain_http
from tests.servers.ports import free_port

SIDE = 8
BACKBONE = "pixels-8"
UNREADABLE = ("undecodable", "not an image that can be read: send a JPEG or PNG")
REACH = 0.4
"""Scales the features so that the test's own model is about as sure as a real one."""


class Pixels:
    """An extractor whose features are the image itself, small and grey; what is no image it rejects."""

    name = "extractor"
    topic = IMAGES
    max_records = 64

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()

    def restore(self, partition: int, generation: int) -> int | None:
        return None

    def process(self, records: Sequence[Record]) -> Processed:
        self.open.wait()
        messages, rejected = [], []
        for record in records:
            image = decode_image(record)
            try:
                messages.append(encode_features(image, features(image.data), BACKBONE, source="test"))
            except OSError:
                rejected.append((record, Rejected(*UNREADABLE)))
        return Processed(messages, rejected, {record.partition: record.offset + 1 for record in records})

    def extract(self, backbone: str, data: bytes) -> Vector:
        """shared.extraction.Extraction: the same without an event."""
        assert backbone == BACKBONE
        try:
            return features(data)
        except OSError:
            raise Rejected(*UNREADABLE) from None

    def poll_timeout(self) -> float:
        return 0.02

    def checkpoint(self, positions: Mapping[int, int]) -> None: ...

    def discard(self, partition: int) -> None: ...

    def hide_metrics(self, partition: int) -> None: ...


def features(data: bytes) -> Vector:
    small = Image.open(io.BytesIO(data)).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() * np.float32(REACH / 255)


def picture(shape: str, shade: int = 255, side: int = 32) -> bytes:
    """A PNG of one of a few shapes, white on black: ``bar``, ``ring``, ``cross``, ``dot``, ``left``, ``low``."""
    rows, columns = np.mgrid[0:side, 0:side] / (side - 1) * 2 - 1
    radius = np.hypot(rows, columns)
    masks = {
        "bar": np.abs(columns) < 0.25,
        "ring": np.abs(radius - 0.7) < 0.2,
        "cross": np.abs(np.abs(rows) - np.abs(columns)) < 0.25,
        "dot": radius < 0.45,
        "left": columns < -0.3,
        "low": rows > 0.3,
    }
    out = io.BytesIO()
    Image.fromarray((masks[shape] * shade).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


class System:
    """Log, store, extractor, learner, gateway; the gateway can go and come back at its port."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.settings = Settings.model_validate({"models": "nearest,softmax", **settings})
        self.log, self.store = SqliteLog(folder / "log"), SqliteStore(folder / "store.sqlite")
        self.health, self.metrics = Health(), Metrics(CollectorRegistry())
        self.extractor = Pixels()
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
        self._workers = [threading.Thread(target=self._work, args=(each,)) for each in (self.extractor, self.learner)]
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
                extraction=self.extractor,
            )
        )
        listener = serving.listen("127.0.0.1", self._port)
        self._gateway = threading.Thread(target=serving.serve, args=(application, listener, self._closing))
        self._gateway.start()
        key = next(iter(self.settings.keys), "")
        self.client = plain_http.client(self.url, timeout=90, headers={"X-API-Key": key} if key else {})
        until(lambda: self.client.get("/readyz").status_code == 200)

    def close_gateway(self) -> None:
        self.client.close()
        self._closing.set()
        self._gateway.join()

    def close(self) -> None:
        self.close_gateway()
        self.extractor.open.set()
        self._stop.set()
        for worker in self._workers:
            worker.join()
        self.log.close()
        self.store.close()

    def send(self, shape: str, label: str | None = None, *, stream: str = "shapes", id: str = "", **drawn: int) -> str:
        """Send an image of a shape, wait for its prediction, then label it; the answer is its id."""
        params = {"wait": "60"}
        headers = {"Content-Type": "image/png", "Idempotency-Key": id or uuid.uuid4().hex}
        sent = self.client.post(
            f"/v1/streams/{stream}/images", content=picture(shape, **drawn), headers=headers, params=params
        )
        assert sent.status_code == 200, sent.text
        if label is not None:
            self.label(sent.json()["id"], label, stream=stream)
        return str(sent.json()["id"])

    def label(self, id: str, label: str | None, *, stream: str = "shapes") -> None:
        body = {"id": id, "label": label}
        answer = self.client.post(f"/v1/streams/{stream}/labels", json=body, params={"wait": "60"})
        assert answer.status_code == 200, answer.text

    def truth(self, id: str, *, stream: str = "shapes") -> str | None:
        """What the system takes for the truth of an image."""
        found = self.client.get(f"/v1/streams/{stream}/predictions/{id}").json()["truth"]
        assert found is None or isinstance(found, str)
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


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what another thread does; fails the test when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
