"""Reads Server-Sent Events as the HTML standard has them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.servers import plain_http


class Event(NamedTuple):
    """One event of a stream; ``id`` is the last one seen."""

    kind: str
    data: Any
    id: str | None


@contextmanager
def listening(url: str, last: str | None = None) -> Iterator[Iterator[Event]]:
    """The events from now on: what happens after this has begun is among them."""
    headers = {"Last-Event-ID": last} if last else {}
    with plain_http.client(timeout=60) as client, client.stream("GET", url, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        yield _events(lines)


def of(kinds: set[str], stream: Iterator[Event]) -> Iterator[Event]:
    return (event for event in stream if event.kind in kinds)


def _events(lines: Iterator[str]) -> Iterator[Event]:
    kind, data, id = "message", [], None
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            id = value
        elif not line and data:
            yield Event(kind, json.loads("\n".join(data)), id)
            kind, data = "message", []
