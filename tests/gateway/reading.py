"""Reads Server-Sent Events as the HTML standard has them."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx


class Event(NamedTuple):
    """One event of a stream; ``id`` is the last one seen."""

    kind: str
    data: Any
    id: str | None


def events(answer: httpx.Response) -> Iterator[Event]:
    """Each event as it comes, until the connection ends."""
    kind, data, id = "message", [], None
    for line in answer.iter_lines():
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
