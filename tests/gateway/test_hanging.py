"""Servers that accept and never answer: every call of the gateway answers in time, and says what hangs."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from prequel.services.gateway.view.read_your_writes import ReadYourWrites
from prequel.services.gateway.view.statuses import StreamStatuses
from prequel.services.gateway.view.store_reads import StoreReads
from prequel.shared.log.base import Bounds, Record
from prequel.shared.queries import Answer
from prequel.shared.runtime.deadlines import ANSWER_S, FOLLOWER_CLOSE_S, GATEWAY_CLOSE_S
from prequel.shared.runtime.garbage_collection import collect_everything
from prequel.shared.runtime.health import Health
from prequel.shared.status import StreamDetail, StreamHistory
from tests.gateway.conftest import PNG, Served, Start, until
from tests.gateway.faults import FaultyLog, FaultyStore
from tests.gateway.reading import listening, of

PETS = "/v1/streams/pets"
AS_PNG = {"Content-Type": "image/png"}
MARGIN_S = 1.5
"""For a busy machine, on top of what is promised."""


class HangingStore(FaultyStore):
    """``hangs``: calls wait until ``gate`` is set."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.gate = threading.Event()
        self.gate.set()

    def _check(self) -> None:
        self.gate.wait()
        super()._check()


class HangingLog(FaultyLog):
    """Bounds, lags and single records are held up by the gate too."""

    def bounds(self, topic: str) -> dict[int, Bounds]:
        self.gate.wait()
        return super().bounds(topic)

    def lag(self, group: str, topic: str) -> dict[int, int]:
        self.gate.wait()
        return super().lag(group, topic)

    def read(self, topic: str, partition: int, offsets: Any) -> dict[int, Record]:
        self.gate.wait()
        return super().read(topic, partition, offsets)


class HangingFollowers(FaultyLog):
    """What a follower asks first comes never."""

    def __init__(self, log: Any) -> None:
        super().__init__(log)
        self.gate.clear()

    def bounds(self, topic: str) -> dict[int, Bounds]:
        self.gate.wait()
        return super().bounds(topic)


class HangingLearner:
    """Answers no query while the gate is not set."""

    def __init__(self, learner: Any) -> None:
        self._learner, self.gate = learner, threading.Event()

    def answer(self, stream: str, features: Any) -> Answer:
        self.gate.wait()
        return self._learner.answer(stream, features)  # type: ignore[no-any-return]

    def detail(self, stream: str) -> StreamDetail:
        self.gate.wait()
        return self._learner.detail(stream)  # type: ignore[no-any-return]

    def history(self, stream: str) -> StreamHistory:
        self.gate.wait()
        return self._learner.history(stream)  # type: ignore[no-any-return]

    def model_problem(self, stream: str, spec: str) -> str:
        self.gate.wait()
        return self._learner.model_problem(stream, spec)  # type: ignore[no-any-return]


class Hanging:
    """A gateway on servers that hang together."""

    def __init__(self, start: Start, gateway: Served) -> None:
        gateway.post_image(id="earlier", wait=10)  # By another gateway: this one has to read it back.
        gateway.post_label("earlier", "cow")
        gateway.post_label("earlier", "dog")
        self.log, self.store = HangingLog(gateway.log), HangingStore(gateway.store)
        self.learner = HangingLearner(gateway.learner)
        self.served = start(log=self.log, store=self.store, queries=self.learner)
        self.served.post_image(id="a", wait=10)
        until(lambda: self.served.client.get(f"{PETS}/predictions/earlier").json().get("truth") == "dog")
        for path in (PETS, "/v1/streams", f"{PETS}/images/a"):
            assert self.served.client.get(path).status_code == 200

    def hang(self) -> None:
        for dependency in (self.log, self.store, self.learner):
            dependency.gate.clear()

    def heal(self) -> None:
        for dependency in (self.log, self.store, self.learner):
            dependency.gate.set()


@pytest.fixture
def hanging(start: Start, gateway: Served) -> Iterator[Hanging]:
    hanging = Hanging(start, gateway)
    hanging.hang()
    yield hanging
    hanging.heal()


Ask = Callable[[Served], httpx.Response]

CALLS: dict[str, tuple[int, Ask]] = {
    "a status": (200, lambda g: g.client.get(PETS)),
    "all statuses": (200, lambda g: g.client.get("/v1/streams")),
    "a curve": (200, lambda g: g.client.get(f"{PETS}/curve")),
    "a matrix": (200, lambda g: g.client.get(f"{PETS}/confusion")),
    "a status of what comes later": (200, lambda g: g.client.get(PETS, params={"after": "0:999"})),
    "an unknown stream": (503, lambda g: g.client.get("/v1/streams/never-heard-of")),
    "predictions": (200, lambda g: g.client.get(f"{PETS}/predictions")),
    "a prediction": (200, lambda g: g.client.get(f"{PETS}/predictions/a")),
    "an image": (503, lambda g: g.client.get(f"{PETS}/images/a", params={"size": 64})),
    "a query": (503, lambda g: g.client.post(f"{PETS}/predict", json={"features": [1.0] * 4})),
    "an image that came before": (503, lambda g: g.post_image(id="earlier")),
    "who labelled": (503, lambda g: g.client.post(f"{PETS}/lookup", json={"ids": ["earlier"], "who": True})),
    "a picture that is tried": (503, lambda g: g.client.post(f"{PETS}/predict", content=PNG, headers=AS_PNG)),
    "a new image": (503, lambda g: g.post_image(id="b")),
    "a new label": (503, lambda g: g.post_label("a", "cat")),
    "a label for an unknown stream": (503, lambda g: g.post_label("a", "cat", stream="never-heard-of")),
    "a command": (503, lambda g: g.client.post(f"{PETS}/commands", json={"do": "stream.create"}, params={"wait": 1})),
    "a deletion": (503, lambda g: g.client.delete(PETS, params={"wait": 1})),
    "a deletion of an unknown stream": (503, lambda g: g.client.delete("/v1/streams/never-heard-of")),
    "alive": (200, lambda g: g.client.get("/healthz")),
    "metrics": (200, lambda g: g.client.get("/metrics")),
    "ready": (503, lambda g: g.client.get("/readyz")),
}


def timed(served: Served, ask: Ask) -> tuple[float, httpx.Response]:
    began = time.monotonic()
    answer = ask(served)
    return time.monotonic() - began, answer


@pytest.mark.parametrize("call", CALLS)
def test_no_answer_waits_for_long(hanging: Hanging, call: str) -> None:
    code, ask = CALLS[call]
    seconds, answer = timed(hanging.served, ask)
    assert (answer.status_code, seconds < ANSWER_S + MARGIN_S) == (code, True), (answer.text, seconds)
    if code == 503 and call != "ready":
        assert answer.headers["content-type"] == "application/problem+json"
    if call in ("alive", "metrics"):
        assert seconds < MARGIN_S


def test_nor_do_many_at_one_time(hanging: Hanging) -> None:
    with ThreadPoolExecutor(4 * len(CALLS)) as crowd:
        asked = [crowd.submit(timed, hanging.served, ask) for _ in range(4) for _, ask in CALLS.values()]
        slowest = max(call.result()[0] for call in asked)
    assert slowest < ANSWER_S + 2 * MARGIN_S


def test_reads_of_the_log_take_few_threads_however_many_requests_come(hanging: Hanging) -> None:
    reading = ("an image that came before", "who labelled")
    before = threading.active_count()
    with ThreadPoolExecutor(20) as crowd:
        asked = [crowd.submit(timed, hanging.served, CALLS[call][1]) for call in reading for _ in range(10)]
        assert max(call.result()[0] for call in asked) < ANSWER_S + MARGIN_S
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith(("gateway-", "asyncio_"))]
    assert threading.active_count() <= before + 6, left


def test_a_gateway_ends_though_the_log_hangs_for_its_followers(start: Start, gateway: Served) -> None:
    log = HangingFollowers(gateway.log)
    served = start(log=log, ready=False)
    began = time.monotonic()
    served.stop()
    assert time.monotonic() - began < FOLLOWER_CLOSE_S + GATEWAY_CLOSE_S + 2 * MARGIN_S
    log.gate.set()


def test_answers_say_what_hangs_and_what_may_still_arrive(hanging: Hanging) -> None:
    served = hanging.served
    first = served.post_image(id="b").json()
    assert (first["may_arrive"], "may still arrive" in first["detail"]) == (True, True)
    second = served.post_image(id="c").json()
    assert (second["may_arrive"], "nothing was sent to the log" in second["detail"]) == (False, True)
    reasons = served.client.get("/readyz").json()["reasons"]
    assert "hangs" in reasons["gateway: store"]
    assert "hangs" in reasons["gateway: images"]
    until(lambda: served.client.get(PETS).json()["age_seconds"] > 1)
    assert int(served.client.get(PETS).headers["age"]) >= 1
    hanging.heal()
    until(lambda: served.client.get("/readyz").status_code == 200)
    until(lambda: served.client.get(f"{PETS}/predictions/b").status_code == 200)
    assert served.client.get(f"{PETS}/predictions/c").status_code == 404
    until(lambda: served.client.get(PETS).json()["age_seconds"] < 0.5)
    assert served.client.get(PETS).json()["images"] == 3


def test_listeners_get_events_while_the_store_hangs(hanging: Hanging) -> None:
    hanging.log.gate.set()
    with listening(f"{hanging.served.url}{PETS}/events") as stream:
        assert hanging.served.post_image(id="b", wait=10).status_code == 200
        # However many statuses come before it: one is sent at the start, and one more where it changed in between.
        assert next(of({"prediction"}, stream)).data["id"] == "b"


def test_while_only_the_store_hangs_unknown_streams_are_accepted(hanging: Hanging) -> None:
    hanging.log.gate.set()
    for ask in (
        lambda g: g.post_label("a", "cat", stream="never-heard-of"),
        lambda g: g.client.delete("/v1/streams/nor-of-this"),
    ):
        seconds, answer = timed(hanging.served, ask)
        assert (answer.is_success, seconds < ANSWER_S) == (True, True), (
            answer.text
        )  # What became of it may be there already.


def test_while_only_the_log_hangs_a_label_is_503_not_404(hanging: Hanging) -> None:
    hanging.store.gate.set()
    until(lambda: "gateway: store" not in hanging.served.client.get("/readyz").json()["reasons"])
    assert hanging.served.post_label("a", "cat", stream="pest").status_code == 503
    seconds, answer = timed(hanging.served, lambda g: g.client.get("/v1/streams/pest"))
    assert (answer.status_code, answer.json()["nearest"], seconds < MARGIN_S) == (404, "pets", True)


def test_a_store_that_fails_after_the_request_has_ended_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    """What asyncio says of a failure that nobody heard is a traceback in the gateway's log."""
    store = HangingStore(None)
    store.away = True
    store.gate.clear()
    statuses = StreamStatuses(StoreReads(store, Health()), time.time, ReadYourWrites())

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(statuses.get("pets"), 0.05)
        reading = list(statuses._reads.values())
        store.gate.set()
        await asyncio.wait(reading)

    asyncio.run(ask())
    collect_everything()
    statuses.close()
    assert "never retrieved" not in caplog.text
