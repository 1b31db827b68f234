"""The CloudEvents headers of a record: written with our events, read from anybody's."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from prequel.shared.events.attributes import NAMES_CACHED, Attributes, canonical
from prequel.shared.events.structured import Malformed, announces_event, to_binary_mode
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import Headers, Message, Record

JSON, BINARY = "application/json", "application/octet-stream"

_YEAR_1, _YEAR_9999 = -62_135_596_800, 253_402_300_799  # what datetime can express, in seconds since the epoch


def event_headers(event_type: str, id: str, *, source: str, time: float, content_type: str) -> Headers:
    """The headers that CloudEvents requires of every event, and its time and content type."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", event_type.encode()),
        ("ce_time", timestamp(time).encode()),
        ("content-type", content_type.encode()),
    )


def json_message(
    topic: str, stream: str | None, body: Mapping[str, Any], *, event_type: str, id: str, source: str, time: float
) -> Message:
    """An event whose value is JSON. The stream is the key, so that all events of a stream are in one partition.

    ``source`` is CloudEvents' name of the writer: `prequel/learner`. ``time`` is in seconds since the epoch.
    """
    headers = event_headers(event_type, id, source=source, time=time, content_type=JSON)
    return Message(topic, None if stream is None else stream.encode(), orjson.dumps(body), headers)


def with_attributes(body: dict[str, Any], attributes: Attributes) -> dict[str, Any]:
    """The JSON of a prediction or an outcome with the image's own attributes, where it has some."""
    return {**body, "attributes": dict(attributes)} if attributes else body


@lru_cache(16)  # Each event has its time twice, in a header and in its JSON, and a batch often shares one.
def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds; a time before year 1 or after year 9999 becomes the nearest within."""
    return (
        datetime.fromtimestamp(min(max(seconds, _YEAR_1), _YEAR_9999), UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def read_headers(record: Record) -> tuple[Record, dict[str, str]]:
    """The record in binary mode, and its CloudEvents attributes as `ce_<name>`. Raises Rejected."""
    try:
        return _read(record)
    except UnicodeDecodeError:
        raise Rejected("malformed", "a ce_ header is not UTF-8") from None
    except Malformed as error:
        raise Rejected("malformed", str(error)) from None


def _read(record: Record) -> tuple[Record, dict[str, str]]:
    if not record.headers:
        return record, {}
    keys, values = zip(*record.headers, strict=True)
    names, content_type = _canonical_names(keys)
    if content_type is not None and announces_event(values[content_type]):
        return _read(to_binary_mode(record))
    return record, {name: value.decode() for name, value in zip(names, values, strict=True) if name}


@lru_cache(NAMES_CACHED)
def _canonical_names(keys: tuple[str, ...]) -> tuple[tuple[str, ...], int | None]:
    """The attributes' names (empty for other headers), and the index of the content type, of one event's headers.

    Cached for all headers together, because the events of a topic nearly always have the same ones in the same order.
    """
    names = [canonical(key) for key in keys]
    content_type = names.index("content-type") if "content-type" in names else None
    return tuple(name if name.startswith("ce_") else "" for name in names), content_type


def read_type(record: Record) -> dict[str, str]:
    """Only `ce_type`, in our own spelling: all that is needed of a prediction's headers, and much faster."""
    try:
        return {name: value.decode() for name, value in record.headers if name == "ce_type"}
    except UnicodeDecodeError:
        raise Rejected("malformed", "a ce_ header is not UTF-8") from None


def check_type(headers: Mapping[str, str], expected: Collection[str]) -> str:
    """The event's type. Raises Rejected unless it is one of those ``expected``; "" stands for no type at all."""
    event_type = headers.get("ce_type", "")
    if event_type not in expected:
        choices = " or ".join(filter(None, expected))
        raise Rejected("unknown-type", f"ce_type is {event_type[:100]!r}, expected {choices}")
    return event_type
