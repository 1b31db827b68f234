"""Events read on over every interruption, against a server that interrupts in every way."""

import itertools
import threading
import time
from typing import Any

import pytest

from prequel.services.producer.client import connect
from prequel.services.producer.errors import GatewayError, GatewayUnavailable
from prequel.services.producer.event_stream import StreamEvent, parsed
from prequel.services.producer.parts import answers
from tests.producer.test_client import Scripted, server

__all__ = ["server"]


def sent(*events: tuple[str, str, str]) -> tuple[int, Any]:
    """An answer with these events: id, kind and the JSON of each."""
    return 200, "".join(f"id: {id}\nevent: {kind}\ndata: {data}\n\n" for id, kind, data in events).encode()


def test_an_interrupted_connection_goes_on_after_the_newest_event(server: Scripted, stop: threading.Event) -> None:
    server.script = [
        sent(("0:1", "prediction", '{"n": 1}'), ("0:2", "ping", "{}")),
        None,
        (503, {"detail": "the log is away"}),
        (200, b'id: 0:3\nevent: prediction\ndata: {"n": 2}\n\nid: 0:4\nevent: prediction\ndata: {"cut'),
        sent(("0:4", "prediction", '{"n": 3}'), ("", "reconnect", "{}"), ("0:9", "prediction", '{"n": 4}')),
        sent(("0:5", "prediction", '{"n": 5}')),
    ]
    seen: list[StreamEvent] = []
    asked: list[str | None] = []
    with connect(server.url, None, stop=stop, clock=time.monotonic, timeout_s=60) as client:
        for event in itertools.islice(client.events("pets", after="0:0"), 4):
            seen.append(event)
            asked.append(server.headers.get("Last-Event-ID"))
    assert [event.data["n"] for event in seen] == [1, 2, 3, 5]
    assert asked == ["0:0", "0:2", "0:3", "0:4"]


def test_a_gap_that_nobody_can_close_is_an_event(server: Scripted, stop: threading.Event) -> None:
    server.script = [(200, b": hello\n\nevent: status\ndata: {}\n\n"), sent(("0:1", "prediction", "{}"))]
    with connect(server.url, None, stop=stop, clock=time.monotonic, timeout_s=60) as client:
        kinds = [event.kind for event in itertools.islice(client.events(None, None), 3)]
    assert kinds == ["status", "reset", "prediction"]


def test_an_hour_in_which_nothing_happens_is_no_outage(server: Scripted, stop: threading.Event) -> None:
    now = [0.0]
    server.script = [
        sent(("0:1", "prediction", "{}")),
        (503, {"detail": "the log is away"}),
        sent(("0:1", "ping", "{}"), ("", "reconnect", "{}")),
        sent(("0:2", "prediction", "{}")),
    ]
    with connect(server.url, None, stop=stop, clock=lambda: now[0], timeout_s=60) as client:
        events = client.events("pets", None)
        assert next(events).id == "0:1"
        now[0] += 3_600
        assert next(events).id == "0:2"


def test_it_gives_up_where_nobody_answers_for_too_long(server: Scripted, stop: threading.Event) -> None:
    ticks = itertools.count()
    with connect(server.url, None, stop=stop, clock=lambda: float(next(ticks)), timeout_s=4) as client:
        server.script = [(503, {"detail": "the log is away"})] * 9
        with pytest.raises(GatewayUnavailable, match="the log is away"):
            next(client.events("pets", None))
        server.script = [sent()] * 9
        with pytest.raises(GatewayUnavailable, match="it ends every connection at once"):
            next(event for event in client.events("pets", None) if event.kind != "reset")
        server.script = [(503, {"detail": "the log is away"}), sent(("0:1", "prediction", "{}"))]
        assert next(client.events("pets", None)).kind == "prediction", "there was no connection that broke"
        server.script = [(401, {"detail": "an API key is needed"})]
        with pytest.raises(GatewayError, match="an API key is needed; give one of"):
            next(client.events("pets", None))


def test_events_are_lines_as_the_standard_has_them() -> None:
    lines = ["retry: 1000", "", "event:status", 'data: {"a": 1}', "", "data: {}", ""]
    assert list(parsed(lines)) == [StreamEvent("status", "", {"a": 1}), StreamEvent("message", "", {})]


def test_a_gateway_that_answers_too_few_parts_is_an_error() -> None:
    with pytest.raises(GatewayError, match="answers 1 parts of a request that had 2"):
        answers(lambda parts: [{}], [1, 2])
