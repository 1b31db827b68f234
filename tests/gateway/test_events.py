"""Server-Sent Events over a real socket: their order, slow clients, and clients that reconnect."""

import itertools
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

import pytest

from prequel.services.gateway.view.subscriptions import (
    MAX_SUBSCRIBERS,
    QUEUE_EVENTS,
    RECENT_EVENTS,
    LiveEvent,
    Subscriptions,
)
from prequel.shared import status
from prequel.shared.events.drifts import encode_drift
from prequel.shared.events.types import Drift
from prequel.shared.log.base import Position
from tests.gateway import reading
from tests.gateway.conftest import PNG, Served, flood, stalled, until
from tests.gateway.echo_learner import predicted
from tests.gateway.reading import Event, of

PETS = "/v1/streams/pets/events"
PIECE = 2_000


def listening(gateway: Served, path: str = PETS, last: str | None = None) -> AbstractContextManager[Iterator[Event]]:
    return reading.listening(gateway.url + path, last)


def test_predictions_and_outcomes_come_as_they_happen(gateway: Served) -> None:
    with listening(gateway) as stream:
        wanted = of({"prediction", "outcome"}, stream)
        gateway.post_image(id="a", wait=10)
        first = next(wanted)
        assert (first.kind, first.data["id"], first.data["label"], first.id) == ("prediction", "a", "cat", "0:0")
        gateway.post_label("a", "dog", wait=10)
        second = next(wanted)
        assert (second.kind, second.data["label"], second.data["status"], second.id) == (
            "outcome",
            "dog",
            "learned",
            "0:1",
        )


def test_an_event_is_what_the_other_calls_say(gateway: Served) -> None:
    with listening(gateway) as stream:
        gateway.post_image(id="a", wait=10)
        event = next(of({"prediction"}, stream))
    assert event.data == gateway.client.get("/v1/streams/pets/predictions/a").json()


def test_a_stream_sends_its_own_events_only_and_all_sends_all(gateway: Served) -> None:
    with listening(gateway) as pets, listening(gateway, "/v1/events") as everything:
        gateway.post_image(stream="digits", id="d", wait=10)
        gateway.post_image(stream="pets", id="p", wait=10)
        assert next(of({"prediction"}, pets)).data["id"] == "p"
        both = of({"prediction"}, everything)
        assert [next(both).data["id"], next(both).data["id"]] == ["d", "p"]


def test_the_status_comes_at_once_and_whenever_it_changes(gateway: Served) -> None:
    gateway.post_image(wait=10)
    until(lambda: gateway.client.get("/v1/streams/pets").status_code == 200)
    with listening(gateway) as stream:
        statuses = of({"status"}, stream)
        first = next(statuses)
        assert first.data.keys() == gateway.client.get("/v1/streams/pets").json().keys()
        assert first.data["images"] == 1
        gateway.post_image(wait=10)
        assert any(status.data["images"] == 2 for status in statuses)


@pytest.mark.parametrize("broken", [b"no JSON", b"{}", b'{"stream": "old", "images": "many"}'])
def test_a_status_that_is_none_hides_no_other(broken: bytes, gateway: Served, caplog: pytest.LogCaptureFixture) -> None:
    gateway.store.put(status.key("old"), broken)
    gateway.post_image(wait=10)
    with listening(gateway, "/v1/events") as stream, listening(gateway, "/v1/streams/old/events"):
        statuses = of({"status"}, stream)
        assert next(statuses).data["stream"] == "pets"
        gateway.post_image(wait=10)
        assert any(event.data["images"] == 2 for event in statuses)
    assert [status["stream"] for status in gateway.client.get("/v1/streams").json()["streams"]] == ["pets"]
    assert gateway.client.get("/v1/streams/old").status_code == 404
    assert len([line for line in caplog.messages if "stream old is not shown" in line]) == 1
    gateway.store.put(status.key("old"), gateway.store.get(status.key("pets")) or b"")
    until(lambda: gateway.client.get("/v1/streams/old").status_code == 200)


def test_a_reconnect_gets_the_missed_events(gateway: Served) -> None:
    for name in "abc":
        gateway.post_image(id=name, wait=10)
    with listening(gateway, last="0:0") as stream:
        missed = of({"prediction"}, stream)
        assert [next(missed).data["id"], next(missed).data["id"]] == ["b", "c"]
        gateway.post_image(id="d", wait=10)
        assert next(missed).data["id"] == "d"


def test_a_reconnect_that_is_too_late_gets_reset(gateway: Served) -> None:
    gateway.post_image(wait=10)
    with listening(gateway, last="0:999999") as stream:
        assert next(of({"reset", "prediction"}, stream)).kind == "reset"


def test_missed_events_are_known_to_a_gateway_that_started_later(start: object, gateway: Served) -> None:
    for name in "ab":
        gateway.post_image(id=name, wait=10)
    second = start()  # type: ignore[operator]
    with listening(second, last="0:0") as stream:
        assert next(of({"prediction", "reset"}, stream)).data["id"] == "b"


def test_a_stopping_gateway_ends_every_stream_with_the_reason(gateway: Served) -> None:
    with listening(gateway) as stream:
        threading.Thread(target=gateway.stop).start()
        kinds = [event.kind for event in stream]
    assert kinds[-1] == "reconnect"


def happening(number: int, stream: str = "pets") -> LiveEvent:
    prediction = predicted(stream, f"n{number}", Position(0, number), PNG)
    return LiveEvent(Position(0, number), prediction, b'{"id": "n%d"}' % number)


@pytest.fixture
def subscriptions() -> Subscriptions:
    return Subscriptions()


async def drained(subscriptions: Subscriptions, stream: str | None, last: str | None) -> bytes:
    return await subscriptions.open(stream, last).next(0)


@pytest.mark.anyio
async def test_a_slow_client_is_ended_with_the_reason(subscriptions: Subscriptions) -> None:
    slow, quick = subscriptions.open("pets", None), subscriptions.open(None, None)
    for number in range(QUEUE_EVENTS + 10):
        subscriptions.publish(happening(number))
        assert (await quick.next(0)).startswith(b"id: 0:%d\n" % number)
    assert slow.ended
    assert (await slow.next(0)).startswith(b"event: reconnect\n")
    assert not quick.ended


def test_a_client_that_does_not_read_is_ended_and_delays_no_other(gateway: Served) -> None:
    with stalled(gateway, PETS) as connection, listening(gateway) as quick, ThreadPoolExecutor(1) as threads:
        events = of({"prediction"}, quick)
        for begin in range(0, 20_000, PIECE):
            # In pieces: a quick reader that a busy machine holds up for a moment must not count as a slow one.
            count = threads.submit(lambda: sum(1 for _ in itertools.islice(events, PIECE)))
            flood(gateway, begin + PIECE, begin=begin)
            assert count.result() == PIECE
        connection.settimeout(60)
        rest = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    assert b"event: reconnect" in rest[-300:]
    assert rest.count(b"event: prediction") < 20_000


def test_a_drift_is_an_event(gateway: Served) -> None:
    drift = Drift("pets", Position(0, 7), "slda", "adwin", 120, False, 1_000.0)
    with listening(gateway) as stream:
        gateway.log.append([encode_drift(drift, source="test")])
        event = next(of({"drift"}, stream))
    assert (event.data["model"], event.data["scored"], event.id) == ("slda", 120, "0:0")


@pytest.mark.anyio
async def test_recent_events_are_bounded(subscriptions: Subscriptions) -> None:
    for number in range(RECENT_EVENTS + 5):
        subscriptions.remember(happening(number))
    assert b"event: reset" in await drained(subscriptions, "pets", "0:4")
    assert b"id: 0:6\n" in await drained(subscriptions, "pets", "0:5")
    assert await drained(subscriptions, "others", "0:5") == b""


@pytest.mark.anyio
async def test_a_ping_is_due_when_nothing_comes(subscriptions: Subscriptions) -> None:
    assert await subscriptions.open("pets", None).next(0.01) == b""


def test_only_so_many_may_listen_until_some_go(gateway: Served) -> None:
    request = f"GET {PETS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    address = ("127.0.0.1", gateway.client.base_url.port or 0)
    with ExitStack() as stack:
        for _ in range(MAX_SUBSCRIBERS):
            connection = stack.enter_context(socket.create_connection(address, timeout=60))
            connection.sendall(request)
            assert b"200 OK" in connection.recv(4096)
        answer = gateway.client.get(PETS)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")

    def admitted() -> bool:
        with gateway.client.stream("GET", PETS) as answer:
            return answer.status_code == 200

    until(admitted)
