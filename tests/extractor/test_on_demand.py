"""Features without an event: by the stream's own backbone and decoder, bounded, found through the store."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from prequel.services.extractor.announcer import Announcer
from prequel.services.extractor.backbones.base import Images, Vectors
from prequel.services.extractor.on_demand import MAX_IMAGES, OnDemandExtraction, SynchronizedBackbone
from prequel.services.gateway.remote.extractor import RemoteExtractor
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


def decode(data: bytes) -> Images:
    """An image is one byte of grey."""
    if len(data) != 1:
        raise Rejected("too-large" if len(data) > 1 else "undecodable", f"{len(data)} bytes")
    return np.full((SIDE, SIDE, 3), data[0], np.uint8)


def in_parallel(count: int, work: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_one_inference_at_a_time() -> None:
    means = Means()
    on_demand = OnDemandExtraction(SynchronizedBackbone(means), decode)
    for thread in in_parallel(MAX_IMAGES, lambda: [on_demand.extract(means.id, b"\x07") for _ in range(100)]):
        thread.join()
    assert not means.met
    assert on_demand.extract(means.id, b"\x07").tolist() == [7.0]


def test_too_many_at_once_are_refused_and_later_ones_are_not() -> None:
    means, entered, leave = Means(), threading.Semaphore(0), threading.Event()

    def slow(data: bytes) -> Images:
        entered.release()
        leave.wait()
        return decode(data)

    on_demand = OnDemandExtraction(SynchronizedBackbone(means), slow)
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
    on_demand = OnDemandExtraction(SynchronizedBackbone(Means()), decode)
    for _ in range(2 * MAX_IMAGES):
        with pytest.raises(Rejected, match="too-large: 2 bytes"):
            on_demand.extract(Means.id, b"xx")


def test_another_backbone_is_an_error() -> None:
    with pytest.raises(ExtractorUnavailable, match=r"of backbone others-1.*this extractor runs means-avg-2-0"):
        OnDemandExtraction(SynchronizedBackbone(Means()), decode).extract("others-1", b"x")
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
    on_demand.extraction = OnDemandExtraction(SynchronizedBackbone(Means()), decode)
    metrics = Metrics(CollectorRegistry())
    ops = OperationsServer("127.0.0.1", 0, health=Health(), metrics=metrics, queries=None, extraction=on_demand)
    ops.start()
    yield "{}:{}".format(*ops.address)
    ops.close()


def test_a_gateway_finds_the_extractor_through_the_store(store: SqliteStore, address: str) -> None:
    with plain_http.client(timeout=5) as client:
        remote = RemoteExtractor(store, client)
        with pytest.raises(
            ExtractorUnavailable, match="no extractor with backbone means-avg-2-0 has published its address"
        ):
            remote.extract(Means.id, b"\x07")
        Announcer(store, Means.id, address, lambda: 7.0).announce()
        assert remote.extract(Means.id, b"\x07").tolist() == [7.0]
        for data, reason in ((b"xx", "too-large"), (b"", "undecodable")):
            with pytest.raises(Rejected, match=f"{reason}: {len(data)} bytes"):
                remote.extract(Means.id, data)


def test_another_extractor_takes_the_place_of_one_that_is_gone(store: SqliteStore, address: str) -> None:
    with plain_http.client(timeout=5) as client:
        remote = RemoteExtractor(store, client)
        Announcer(store, Means.id, f"127.0.0.1:{free_port()}", lambda: 7.0).announce()
        with pytest.raises(ExtractorUnavailable, match="cannot be reached"):
            remote.extract(Means.id, b"\x07")
        Announcer(store, Means.id, address, lambda: 8.0).announce()
        assert remote.extract(Means.id, b"\x07").tolist() == [7.0]


def test_an_announcer_continues_without_its_store(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    class Away:
        def put(self, key: str, value: bytes) -> None:
            raise StoreUnavailable("it hangs")

    announcer = Announcer(Away(), Means.id, "here:1", lambda: 7.0)  # type: ignore[arg-type]  # nothing else is asked of it
    announcer.announce()
    announcer.announce()
    assert caplog.text.count("cannot announce this extractor's address to gateways") == 1
