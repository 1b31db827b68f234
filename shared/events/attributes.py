"""The attributes of CloudEvents, from headers of any spelling or from structured mode; those of others travel on."""

import base64
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson

from prequel.shared.log.base import Headers, Record

Attributes = Mapping[str, str]
NONE: Attributes = MappingProxyType({})

MAX_ATTRIBUTES = 16
"""Attributes of others that travel with one image: tracing takes two, a camera a handful."""
MAX_NAME, MAX_BYTES = 64, 512
"""Of a name in characters, of a value in bytes: W3C's `tracestate` may have 512."""

OURS = frozenset(
    "ce_" + name
    for name in (
        *("specversion", "id", "type", "subject", "time", "datacontenttype", "dataschema", "dataref"),
        *("label", "backbone", "dim", "image", "precision", "damaged", "digest", "moved", "reason", "detail", "origin"),
    )
)
"""Attributes that CloudEvents or we define: they say what they say of one event, and do not travel."""
OUR_SOURCES = "prequel/"
"""How `ce_source` begins in events of our own services; another source is the image's, and travels."""

_NOT_FOREIGN = OURS | {"ce_source"}
STRUCTURED = "application/cloudevents+json"
_ANY_MODE = b"application/cloudevents"
_MAX_NAMES = 1_024
"""Spellings remembered: a stranger may think up any number of header names."""


class Malformed(ValueError):
    """No CloudEvent that can be read: the message says why, and what to do."""


@lru_cache(_MAX_NAMES)
def canonical(name: str) -> str:
    """A header's name as we write it: `ce_id` of `CE-Id`, `content-type` of `Content-Type`, all else as it is."""
    lower = name.lower()
    if lower.startswith(("ce_", "ce-")):
        return "ce_" + lower[3:]
    return lower if lower == "content-type" else name


def read_event(record: Record) -> tuple[Record, dict[str, str]]:
    """The record in binary mode, and its CloudEvents attributes by the names we write.

    Raises Malformed and UnicodeDecodeError.
    """
    if not record.headers:
        return record, {}
    keys, values = zip(*record.headers, strict=True)
    names, kind = _names(keys)
    if kind is not None and values[kind][:23].lower() == _ANY_MODE:
        return read_event(binary(record))
    return record, {name: value.decode() for name, value in zip(names, values, strict=True) if name}


@lru_cache(_MAX_NAMES)
def _names(keys: tuple[str, ...]) -> tuple[tuple[str, ...], int | None]:
    """Of one event's headers the attributes' names as we write them, empty for others; where its content type stands.

    At once, for those of a topic's events are nearly always the same.
    """
    names = [canonical(key) for key in keys]
    kind = names.index("content-type") if "content-type" in names else None
    return tuple(name if name.startswith("ce_") else "" for name in names), kind


def foreign(headers: Mapping[str, str]) -> Attributes:
    """The attributes of others, by their CloudEvents names without `ce_`; what is beyond the limits is left out."""
    if headers.keys() <= _NOT_FOREIGN and headers.get("ce_source", OUR_SOURCES).startswith(OUR_SOURCES):
        return NONE
    return bounded({name[3:]: value for name, value in headers.items() if name not in OURS})


def bounded(attributes: Attributes) -> Attributes:
    """As many of them as travel, the first ones, without our own services' source."""
    fits = {name: value for name, value in attributes.items() if _travels(name, value)}
    return dict(list(fits.items())[:MAX_ATTRIBUTES]) or NONE


def _travels(name: str, value: str) -> bool:
    if name == "source" and value.startswith(OUR_SOURCES):
        return False
    plain = 0 < len(name) <= MAX_NAME and name.isascii() and name.replace("_", "").isalnum()
    return plain and len(value.encode()) <= MAX_BYTES and value.isprintable()


def binary(record: Record) -> Record:
    """The record in binary mode: itself, or what a structured one holds. Raises Malformed."""
    kind = next((value for name, value in record.headers if canonical(name) == "content-type"), b"")
    if kind[:23].lower() != _ANY_MODE:
        return record
    if kind.partition(b";")[0].strip().lower() != STRUCTURED.encode():
        shown = kind[:60].decode("utf-8", "replace")
        raise Malformed(f"content-type is {shown}: send one event a record, in binary mode or as {STRUCTURED}")
    own = tuple(pair for pair in record.headers if not canonical(pair[0]).startswith(("ce_", "content-type")))
    headers, value = structured(record.value)
    return record._replace(value=value, headers=(*headers, *own))


def structured(text: bytes) -> tuple[Headers, bytes]:
    """Headers and value in binary mode of an event in structured mode. Raises Malformed."""
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"content-type is {STRUCTURED}, and the value is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise Malformed(f"content-type is {STRUCTURED}, and the value is no JSON object")
    value, more = _data(event)
    pairs = [("ce_" + name, _text(content)) for name, content in event.items() if name not in ("data", "data_base64")]
    headers = [(canonical(name), content.encode()) for name, content in pairs if content is not None]
    kind = event.get("datacontenttype")
    inner = kind if isinstance(kind, str) and not kind.lower().startswith(_ANY_MODE.decode()) else "application/json"
    headers.append(("content-type", inner.encode()))
    return (*headers, *more), value


def _data(event: Mapping[str, Any]) -> tuple[bytes, Headers]:
    """The payload, and what else it says: a list of numbers is a vector, and says its length."""
    encoded, data = event.get("data_base64"), event.get("data")
    if isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True), ()
        except ValueError as error:
            raise Malformed(f"data_base64 is no base64: {error}") from None
    if isinstance(data, list) and data and all(type(each) in (int, float) for each in data):
        with np.errstate(over="ignore"):  # infinite then, and refused as such
            return np.asarray(data, "<f4").tobytes(), (("ce_dim", str(len(data)).encode()),)
    if data is None:
        raise Malformed("the event has neither data_base64 nor data")
    return data.encode() if isinstance(data, str) else orjson.dumps(data), ()


def _text(content: object) -> str | None:
    """An attribute as headers have it; those that are no text, number or truth value are none."""
    if isinstance(content, bool):
        return "true" if content else "false"
    return str(content) if isinstance(content, (str, int, float)) else None
