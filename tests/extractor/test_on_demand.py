"""Features without an event: by the stream's own backbone and decoder, bounded, found through the store."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from prequel.services.extractor.announcer import Announcer
from prequel.services.extractor.backbone_pool import BackbonePool
from prequel.services.extractor.backbones.base import BackboneConfig, Choice, Images, Vectors
from prequel.services.extractor.on_demand import MAX_IMAGES, OnDemandExtraction
from prequel.services.gateway.remote.extractor import RemoteExtractor
from prequel.shared.config import ConfigError
from prequel.shared.events.types import Rejected
from prequel.shared.extraction import DeferredExtraction, ExtractorUnavailable
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.operations import OperationsServer
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from tests.servers import plain_http
from tests.servers.ports import free_port

SIDE = 2


class Means:
    """A backbone whose one feature is the mean; it waits for ``open``, and notes whether two were in it."""

    id, dim, size, precision = "means-avg-2-0", 1, SIDE, "float32"

    def __init__(self) -> None:
        self.open, self.busy, self.met = threading.Event(), threading.Lock(), False
        self.open.set()

    def extract(self, images: Images) -> Vectors:
        self.met = self.met or not self.busy.acquire(blocking=False)
        self.open.wait()
        self.busy.release()
        means: Vectors = images.reshape(len(images), -1).mean(1, dtype=np.float32)[:, None]
        return means


def choose(spec: str) -> Choice:
    """Any backbone but `unknown`."""
    if spec == "unknown":
        raise ConfigError("use another")
    name, pooling, *_, digest = spec.split("-")
    return Choice(BackboneConfig(name, pooling, SIDE, "none"), digest)


def on_demand_of(backbone: Means, decode: Callable[[bytes, int], Images]) -> OnDemandExtraction:
    pool = BackbonePool(lambda choice: backbone, max_loaded=1, batch=4)
    return OnDemandExtraction(pool, choose, decode)


def decode(data: bytes, size: int) -> Images:
    """An image is one byte of grey."""
    if len(data) != 1:
        raise Rejected("too-large" if len(data) > 1 else "undecodable", f"{len(data)} bytes")
    return np.full((size, size, 3), data[0], np.uint8)


def in_parallel(count: int, work: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_one_inference_at_a_time() -> None:
    means = Means()
    on_demand = on_demand_of(means, decode)
    for thread in in_parallel(MAX_IMAGES, lambda: [on_demand.extract(means.id, b"\x07") for _ in range(100)]):
        thread.join()
    assert not means.met
    assert on_demand.extract(means.id, b"\x07").tolist() == [7.0]


def test_too_many_at_once_are_refused_and_later_ones_are_not() -> None:
    means, entered, leave = Means(), threading.Semaphore(0), threading.Event()

    def slow(data: bytes, size: int) -> Images:
        entered.release()
        leave.wait()
        return decode(data, size)

    on_demand = on_demand_of(means, slow)
    threads = in_parallel(MAX_IMAGES, lambda: on_demand.extract(means.id, b"\x07"))
    for _ in threads:
        entered.acquire()
    with pytest.raises(ExtractorUnavailable, match=f"{MAX_IMAGES} images"):
        on_demand.extract(means.id, b"\x07")
    leave.set()
    for thread in threads:
        thread.join()
    assert on_demand.extract(means.id, b"\x01").tolist() == [1.0]


def test_a_rejected_image_releases_its_place() -> None:
    on_demand = on_demand_of(Means(), decode)
    for _ in range(2 * MAX_IMAGES):
        with pytest.raises(Rejected, match="too-large: 2 bytes"):
            on_demand.extract(Means.id, b"xx")


def test_a_backbone_that_cannot_be_loaded_is_an_error() -> None:
    def missing(choice: Choice) -> Means:
        raise ConfigError("weights missing")

    with pytest.raises(ExtractorUnavailable, match="backbone unknown cannot be loaded: use another"):
        on_demand_of(Means(), decode).extract("unknown", b"x")
    on_demand = OnDemandExtraction(BackbonePool(missing, max_loaded=1, batch=4), choose, decode)
    for _ in range(2):
        with pytest.raises(ExtractorUnavailable, match=f"backbone {Means.id} cannot be loaded: weights missing"):
            on_demand.extract(Means.id, b"x")
    with pytest.raises(ExtractorUnavailable, match="still loading"):
        DeferredExtraction().extract("others-1", b"x")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "store.sqlite")) as store:
        yield store


@pytest.fixture
def address() -> Iterator[str]:
    """Where an extractor's operations server answers."""
    on_demand = DeferredExtraction()
    on_demand.extraction = on_demand_of(Means(), decode)
    metrics = Metrics(CollectorRegistry())
    ops = OperationsServer("127.0.0.1", 0, health=Health(), metrics=metrics, queries=None, extraction=on_demand)
    ops.start()
    yield "{}:{}".format(*ops.address)
    ops.close()


def test_a_gateway_finds_the_extractor_through_the_store(store: SqliteStore, address: str) -> None:
    with plain_http.client(timeout=5) as client:
        remote = RemoteExtractor(store, client)
        with pytest.raises(ExtractorUnavailable, match="no extractor has published its address"):
            remote.extract(Means.id, b"\x07")
        Announcer(store, address, lambda: 7.0).announce()
        assert remote.extract(Means.id, b"\x07").tolist() == [7.0]
        for data, reason in ((b"xx", "too-large"), (b"", "undecodable")):
            with pytest.raises(Rejected, match=f"{reason}: {len(data)} bytes"):
                remote.extract(Means.id, data)


def test_another_extractor_takes_the_place_of_one_that_is_gone(store: SqliteStore, address: str) -> None:
    with plain_http.client(timeout=5) as client:
        remote = RemoteExtractor(store, client)
        Announcer(store, f"127.0.0.1:{free_port()}", lambda: 7.0).announce()
        with pytest.raises(ExtractorUnavailable, match="cannot be reached"):
            remote.extract(Means.id, b"\x07")
        Announcer(store, address, lambda: 8.0).announce()
        assert remote.extract(Means.id, b"\x07").tolist() == [7.0]


def test_an_announcer_continues_without_its_store(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    class Away:
        def put(self, key: str, value: bytes) -> None:
            raise StoreUnavailable("it hangs")

    announcer = Announcer(Away(), "here:1", lambda: 7.0)  # type: ignore[arg-type]  # nothing else is asked of it
    announcer.announce()
    announcer.announce()
    assert caplog.text.count("cannot announce this extractor's address to gateways") == 1
