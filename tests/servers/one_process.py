"""Log, store, learner and gateway in one process, with an extractor of the test's own instead of a backbone."""

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from prequel.services.extractor.backbones.registry import problem
from prequel.services.gateway import app
from prequel.services.gateway.assembly import Dependencies
from prequel.services.gateway.export_process import StartExport, no_exports
from prequel.services.gateway.http import serving
from prequel.services.learner.learner import Learner
from prequel.shared.config import Settings
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Rejected
from prequel.shared.extraction import Extraction
from prequel.shared.log.base import IMAGES, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.retention.usage import LogUsage
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed, Processor
from prequel.shared.runtime.runner import Runner
from prequel.shared.store.sqlite import SqliteStore
from prequel.shared.vectors import Vector
from tests.learner.building import Registry
from tests.servers.ports import free_port


class FunctionExtractor:
    """An extractor whose features are a function of the bytes; what raises OSError there is rejected as ``unreadable``.

    While ``open`` is cleared it stands still.
    """

    name = "extractor"
    topic = IMAGES
    max_records = 64

    def __init__(self, backbone: str, features: Callable[[bytes], Vector], unreadable: tuple[str, str]) -> None:
        self.backbone, self.features, self.unreadable = backbone, features, unreadable
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
                messages.append(encode_features(image, self.features(image.data), self.backbone, source="test"))
            except OSError:
                rejected.append((record, Rejected(*self.unreadable)))
        return Processed(messages, rejected, {record.partition: record.offset + 1 for record in records})

    def extract(self, backbone: str, data: bytes) -> Vector:
        """shared.extraction.Extraction: the same without an event."""
        assert backbone == self.backbone
        try:
            return self.features(data)
        except OSError:
            raise Rejected(*self.unreadable) from None

    def poll_timeout(self) -> float:
        return 0.02

    def checkpoint(self, positions: Mapping[int, int]) -> None: ...

    def discard(self, partition: int) -> None: ...

    def hide_metrics(self, partition: int) -> None: ...


class OneProcess:
    """The gateway can go and come back at its port, while the others go on."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        extractor: FunctionExtractor,
        *,
        extraction: Extraction | None = None,
        start_export: StartExport = no_exports,
    ) -> None:
        self.settings, self.extractor = settings, extractor
        self._extraction, self._start_export = extraction, start_export
        self.log, self.store = SqliteLog(folder / "log"), SqliteStore(folder / "store.sqlite")
        self.health, self.metrics = Health(), Metrics(CollectorRegistry())
        self.usage: LogUsage | None = None
        self.learner = Learner(
            settings,
            log=self.log,
            store=self.store,
            registry=Registry(),
            metrics=self.metrics,
            clock=time.time,
            owner="test",
        )
        self._stop, self._port = threading.Event(), free_port()  # for as long as it lives, also while it is closed
        processors: tuple[Processor, ...] = (extractor, self.learner)
        self._workers = [threading.Thread(target=self._work, args=(processor,)) for processor in processors]
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
                backbone_problem=lambda backbone: "" if backbone == self.extractor.backbone else problem(backbone),
                usage=lambda: self.usage,
                extraction=self._extraction,
                start_export=self._start_export,
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
