"""While log, store or learner are away, /readyz says so and calls get 503; nothing else stops working."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
import pytest

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http import serving
from prequel.services.gateway.remote.learner import LearnerUnavailable
from prequel.services.gateway.routes import events
from prequel.services.gateway.view.follower import TopicFollower
from prequel.shared.log.base import Message, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.queries import Answer
from prequel.shared.runtime.health import Health
from prequel.shared.status import StreamStatus
from prequel.shared.vectors import Vector
from tests.gateway.conftest import Served, Start, flood, stalled, until
from tests.gateway.faults import FaultyLog, FaultyStore
from tests.gateway.reading import listening, of
from tests.servers import plain_http

PETS = "/v1/streams/pets"
QUICK_S = 30.0
"""Whoever waited for what these tests hold back would wait a minute, or for ever."""


@pytest.fixture
def log(tmp_path: Path) -> FaultyLog:
    """Over the same folder as the gateway's own log."""
    return FaultyLog(SqliteLog(tmp_path / "log"))


def reasons(served: Served) -> dict[str, str]:
    found: dict[str, str] = served.client.get("/readyz").json()["reasons"]
    return found


def test_an_append_that_fails_is_503_and_can_be_sent_again(start: Start, log: FaultyLog) -> None:
    gateway = start(log=log)
    log.full = True
    answer = gateway.post_image()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "disk is full" in answer.json()["detail"]
    assert reasons(gateway) == {"gateway: images": "the disk is full"}
    assert gateway.post_label("a", "cat").status_code == 503
    log.full = False
    again = gateway.post_image(id=answer.json()["ids"][0], wait=10)
    assert again.status_code == 200
    gateway.post_label("a", "cat")
    assert gateway.client.get("/readyz").status_code == 200


def test_a_label_without_wait_is_never_answered_by_its_outcome(start: Start, log: FaultyLog) -> None:
    gateway = start(log=log)
    id = gateway.post_image(wait=QUICK_S).json()["id"]
    log.confirmed.clear()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(gateway.post_label, id, "dog")
        try:
            until(lambda: gateway.client.get(f"{PETS}/predictions/{id}").json()["truth"] == "dog")
        finally:
            log.confirmed.set()
    assert answer.result().status_code == 202
    assert answer.result().json() == {"id": id, "stream": "pets", "position": "0:0"}


def test_while_the_log_is_away_the_view_still_answers_and_then_goes_on(start: Start, log: FaultyLog) -> None:
    gateway = start(log=log)
    gateway.post_image(id="before", wait=10)
    log.away = True
    until(lambda: "the broker is away" in reasons(gateway).get("gateway: predictions", ""))
    assert gateway.client.get("/healthz").status_code == 200
    assert gateway.client.get(f"{PETS}/predictions/before").status_code == 200
    assert gateway.client.get(f"{PETS}/images/before").status_code == 503
    assert gateway.post_image().status_code == 503
    log.away = False
    assert gateway.client.get(f"{PETS}/images/before").status_code == 200
    assert gateway.post_image(id="after", wait=10).status_code == 200
    until(lambda: gateway.client.get("/readyz").status_code == 200)
    listed = gateway.client.get(f"{PETS}/predictions").json()["predictions"]
    assert [prediction["id"] for prediction in listed] == ["after", "before"]


def test_a_gateway_may_start_before_its_log(start: Start, log: FaultyLog) -> None:
    log.away = True
    gateway = start(log=log, ready=False)
    until(lambda: "trying again" in reasons(gateway).get("gateway: predictions", ""))
    answer = gateway.client.get(f"{PETS}/predictions")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert gateway.client.get(f"{PETS}/predictions/a").status_code == 503
    assert gateway.client.get(f"{PETS}/images/a").status_code == 503
    log.away = False
    until(lambda: gateway.client.get("/readyz").status_code == 200)
    assert gateway.client.get(f"{PETS}/predictions").status_code == 200


def test_a_reader_that_retention_passed_starts_again(start: Start, log: FaultyLog) -> None:
    gateway = start(log=log)
    gateway.post_image(id="a", wait=10)
    with listening(f"{gateway.url}{PETS}/events") as stream:
        log.lost = True
        assert [event.kind for event in stream][-1] == "reconnect"
    until(lambda: gateway.client.get(f"{PETS}/predictions/a").status_code == 200)
    assert gateway.post_image(id="b", wait=10).status_code == 200


def test_without_the_store_images_still_come_and_go(start: Start, gateway: Served) -> None:
    store = FaultyStore(gateway.store)
    second = start(store=store)
    second.post_image(id="a", wait=10)
    assert second.client.get("/v1/streams").status_code == 200
    store.away = True
    until(lambda: second.client.get(PETS).json()["age_seconds"] > 0.3)
    assert second.client.get(PETS).json()["images"] == 1
    assert second.client.get(f"{PETS}/curve").headers["age"] == "0"
    (listed,) = second.client.get("/v1/streams").json()["streams"]
    assert listed["age_seconds"] > 0.3
    assert second.client.get("/v1/streams/unknown").status_code == 503
    assert reasons(second) == {"gateway: store": "Redis is away; trying again automatically"}
    with listening(f"{second.url}{PETS}/events") as stream:
        assert second.post_image(id="b", wait=10).status_code == 200
        assert next(of({"prediction"}, stream)).data["id"] == "b"
        store.away = False
        assert any(event.data["images"] == 2 for event in of({"status"}, stream))
    assert second.client.get("/readyz").status_code == 200


class Away:
    """A learner that cannot be reached."""

    def answer(self, stream: str, features: Vector) -> Answer:
        raise LearnerUnavailable("the learner of pets restarts")


def test_a_query_without_a_learner_is_503(start: Start) -> None:
    answer = start(queries=Away()).client.post(f"{PETS}/predict", json={"features": [1.0]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "restarts" in answer.json()["detail"]


def test_a_gateway_of_its_own_asks_the_learner_over_http(start: Start) -> None:
    gateway = start(queries=None)
    ask = {"features": [1.0, 2.0]}
    assert gateway.client.post(f"{PETS}/predict", json=ask).status_code == 404
    gateway.post_image(wait=10)
    answer = gateway.client.post(f"{PETS}/predict", json=ask)
    assert answer.status_code == 503
    assert "PREQUEL_ADVERTISE" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"prequel.prediction.v1", b"not json"),
        (b"prequel.prediction.v1", b"[]"),
        (b"prequel.prediction.v1", b"{}"),
        (b"prequel.prediction.v1", {"id": []}),
        (b"prequel.prediction.v1", {"stream": {"a": 1}}),
        (b"prequel.prediction.v1", {"probabilities": {"cat": "0.9"}}),
        (b"prequel.prediction.v1", {"probabilities": None}),
        (b"prequel.prediction.v1", {"truth": 3}),
        (b"prequel.prediction.v1", {"models": ["a"]}),
        (b"prequel.prediction.v1", {"at": 5}),
        (b"prequel.prediction.v1", {"image": "nowhere"}),
        (b"prequel.outcome.v1", {"status": "learned"}),
        (b"prequel.unheard-of.v1", {}),
        (b"\xff", {}),
    ],
)
def test_foreign_records_in_predictions_do_no_harm(
    shared_gateway: Served, kind: bytes, body: bytes | dict[str, object]
) -> None:
    whole = shared_gateway.post_image(id="good", wait=10).json()["prediction"]
    value = body if isinstance(body, bytes) else orjson.dumps({**whole, "id": "foreign", **body})
    if kind == b"prequel.outcome.v1":
        value = orjson.dumps(body)
    shared_gateway.log.append([Message("predictions", b"pets", value, (("ce_type", kind),))])
    assert shared_gateway.post_image(id="next", wait=10).status_code == 200
    assert shared_gateway.client.get(f"{PETS}/predictions/foreign").status_code == 404
    assert 'prequel_rejected_total{reason="' in shared_gateway.client.get("/metrics").text
    assert shared_gateway.client.get("/readyz").status_code == 200


class Broken:
    """Fails at first: a bug."""

    failures = 2
    handled = False

    async def restart(self) -> None: ...

    async def handle(self, decoded: object, current: bool) -> None:
        if self.failures:
            self.failures -= 1
            raise ZeroDivisionError("a bug")
        self.handled = True


@pytest.mark.anyio
async def test_a_bug_in_the_view_is_shown_and_the_view_starts_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    health, broken = Health(), Broken()

    def decode(records: object) -> list[Record]:
        return []

    follower = TopicFollower(SqliteLog(tmp_path), "predictions", depth=10, health=health, decode=decode, handler=broken)
    follower.start()
    async with asyncio.timeout(30):
        while "a bug" not in health.reasons.get("gateway: predictions", ""):
            await asyncio.sleep(0.001)
        while health.reasons:
            await asyncio.sleep(0.001)
    await follower.close()
    assert broken.handled
    assert health.failed is None
    assert "ZeroDivisionError" in caplog.text


def test_live_status_goes_on_after_a_bug(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    listened, seen = events._subscribed_statuses, threading.Event()

    async def fails_at_first(gateway: Gateway) -> list[StreamStatus]:
        if not seen.is_set():
            raise ZeroDivisionError("a bug")
        return await listened(gateway)

    monkeypatch.setattr(events, "_subscribed_statuses", fails_at_first)
    gateway = start(ready=False)
    until(lambda: "a bug" in reasons(gateway).get("gateway: statuses for listeners", ""))
    seen.set()
    with listening(f"{gateway.url}{PETS}/events") as stream:
        gateway.post_image(id="a", wait=10)
        assert next(of({"status"}, stream)).data["images"] == 1
    until(lambda: gateway.client.get("/readyz").status_code == 200)


def test_stopping_is_quick_while_requests_wait_and_listen(gateway: Served) -> None:
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(gateway.post_image(b"silent", wait=60).status_code))
    waiting.start()
    with listening(f"{gateway.url}{PETS}/events") as stream:
        until(lambda: gateway.log.bounds("images")[0].end == 1)
        began = time.monotonic()
        gateway.stop()
        assert time.monotonic() - began < QUICK_S
        assert [event.kind for event in stream][-1] == "reconnect"
    waiting.join()
    assert answers == [202]


def test_stopping_is_quick_with_a_client_that_does_not_read(gateway: Served) -> None:
    with stalled(gateway, f"{PETS}/events"):
        flood(gateway, 12_000)
        began = time.monotonic()
        gateway.stop()
        assert time.monotonic() - began < QUICK_S


PROGRAM = """
import sys, threading, time, uuid
from pathlib import Path
from prometheus_client import CollectorRegistry
from prequel.services.gateway import app
from prequel.services.gateway.assembly import Dependencies
from prequel.services.gateway.http import serving
from prequel.shared.config import Settings
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.signals import stop_on_signals
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.store.sqlite import SqliteStore

stop = threading.Event()
stop_on_signals(stop)
folder = Path(sys.argv[1])
dependencies = Dependencies(
    settings=Settings(), log=SqliteLog(folder / "log"), store=SqliteStore(folder / "store.sqlite"),
    metrics=Metrics(CollectorRegistry()), health=Health(), clock=time.time, new_id=lambda: uuid.uuid4().hex,
)
application = app.create(dependencies)
listener = serving.listen("127.0.0.1", 0)
print(listener.getsockname()[1], flush=True)
serving.serve(application, listener, stop)
print("ended", flush=True)
"""


def answers(url: str) -> bool:
    """Whether a gateway that may still be starting is ready."""
    try:
        return plain_http.get(f"{url}/readyz", timeout=20).status_code == 200
    except httpx.TransportError:
        return False


def test_sigterm_ends_a_process_with_a_listener(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url))
        with listening(f"{url}{PETS}/events") as stream:
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert [event.kind for event in stream][-1] == "reconnect"
            assert process.wait(QUICK_S) == 0
            assert time.monotonic() - began < QUICK_S
        assert process.stdout.read() == "ended\n"


def test_an_address_in_use_gets_a_remedy() -> None:
    with serving.listen("127.0.0.1", 0) as taken, pytest.raises(serving.CannotListen, match="PREQUEL_PORT"):
        serving.listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(serving.CannotListen, match="PREQUEL_HOST"):
        serving.listen("192.0.2.1", 0)


def test_ipv6_is_listened_on() -> None:
    with serving.listen("::1", 0) as listener:
        assert listener.getsockname()[1] > 0
