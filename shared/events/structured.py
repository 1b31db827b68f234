"""CloudEvents in structured mode (one JSON object): converted to binary mode, the only one that the decoders read."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from prequel.shared.events.attributes import canonical
from prequel.shared.log.base import Headers, Record

STRUCTURED = "application/cloudevents+json"
_ANY_MODE = b"application/cloudevents"


class Malformed(ValueError):
    """A CloudEvent that cannot be read: the message says why, and what to send instead."""


def announces_event(content_type: bytes) -> bool:
    """Whether the value is an event in structured mode or in a batch: its content type says so."""
    return content_type[: len(_ANY_MODE)].lower() == _ANY_MODE


def to_binary_mode(record: Record) -> Record:
    """The record unchanged, or, in structured mode, the event that its value contains. Raises Malformed."""
    content_type = next((value for name, value in record.headers if canonical(name) == "content-type"), b"")
    if not announces_event(content_type):
        return record
    if content_type.partition(b";")[0].strip().lower() != STRUCTURED.encode():
        shown = content_type[:60].decode("utf-8", "replace")
        raise Malformed(f"content-type is {shown}: send one event a record, in binary mode or as {STRUCTURED}")
    others = tuple(pair for pair in record.headers if not canonical(pair[0]).startswith(("ce_", "content-type")))
    headers, value = parse_structured(record.value)
    return record._replace(value=value, headers=(*headers, *others))


def parse_structured(text: bytes) -> tuple[Headers, bytes]:
    """Headers and value, as in binary mode, of an event in structured mode. Raises Malformed."""
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"content-type is {STRUCTURED}, but the value is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise Malformed(f"content-type is {STRUCTURED}, but the value is not a JSON object")
    value, data_headers = _data(event)
    pairs = [("ce_" + name, _text(content)) for name, content in event.items() if name not in ("data", "data_base64")]
    headers = [(canonical(name), content.encode()) for name, content in pairs if content is not None]
    kind = event.get("datacontenttype")
    # An event inside an event is not unpacked again: one that nested a thousand times would be a thousand parses.
    inner = kind if isinstance(kind, str) and not announces_event(kind.encode()) else "application/json"
    headers.append(("content-type", inner.encode()))
    return (*headers, *data_headers), value


def _data(event: Mapping[str, Any]) -> tuple[bytes, Headers]:
    """The payload, and the headers that follow from it: a list of numbers is a vector and gets its length, `ce_dim`."""
    encoded, data = event.get("data_base64"), event.get("data")
    if isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True), ()
        except ValueError as error:
            raise Malformed(f"data_base64 is not base64: {error}") from None
    if isinstance(data, list) and data and all(type(value) in (int, float) for value in data):
        with np.errstate(over="ignore"):  # Too large becomes infinite, which the decoder of features rejects.
            return np.asarray(data, "<f4").tobytes(), (("ce_dim", str(len(data)).encode()),)
    if data is None:
        raise Malformed("the event has neither data_base64 nor data")
    return data.encode() if isinstance(data, str) else orjson.dumps(data), ()


def _text(content: object) -> str | None:
    """An attribute's value as a header has it; None for what is not text, a number or a truth value."""
    if isinstance(content, bool):
        return "true" if content else "false"
    return str(content) if isinstance(content, (str, int, float)) else None
