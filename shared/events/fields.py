"""The fields that several events have (stream, id, label, time, JSON body), parsed from what anybody may have sent."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes
from prequel.shared.events.names import (
    ID_RULE,
    LABEL_RULE,
    STREAM_RULE,
    WHY_RULE,
    normal_label,
    valid_id,
    valid_label,
    valid_stream,
    valid_why,
)
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import Position, Record

MAX_NESTED = 50
"""How deep objects and lists may be nested in JSON. No event has more than three levels; Python allows about 1,000
calls within one another, and snapshots are written by a library that allows 254."""

# Each parse_ function raises Rejected and nothing else, whatever it is given, except where its docstring says more.

MAX_AUTHOR = 128
"""Longest ``by``, in characters; the rest is cut off: it is shown to people, and not a place to store things."""


def record_position(record: Record) -> Position:
    """Where the record is in its topic."""
    return Position(record.partition, record.offset)


def record_key(record: Record) -> str:
    """The key as text; empty where there is none, or one that is not text."""
    try:
        return (record.key or b"").decode()
    except UnicodeDecodeError:
        return ""


def parse_stream(text: str) -> str:
    if not valid_stream(text):
        raise Rejected("bad-stream", f"{text[:100]!r}, in key or ce_subject, is not a stream name: use {STREAM_RULE}")
    return text


def parse_id(text: object) -> str:
    if not isinstance(text, str) or not valid_id(text):
        raise Rejected("bad-id", f"{str(text)[:150]!r} is not an id: use {ID_RULE}")
    return text


def parse_label(text: str | None) -> str | None:
    """The label in its one spelling; None where there is none."""
    if text is None:
        return None
    label = normal_label(text)
    if not valid_label(label):
        raise Rejected("bad-label", f"{text[:150]!r} is not a label: use {LABEL_RULE}")
    return label


def parse_time(text: str | None, record: Record) -> float:
    """The event's time in seconds since the epoch; where it is missing or unreadable, when the log took the record in.

    Both are in the log, so reading it again gives the same time.
    """
    if text is None:
        return record.appended_at
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return record.appended_at


def parse_body(value: bytes) -> dict[str, Any]:
    """The JSON object in a record's value."""
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Rejected("malformed", f"the value is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Rejected("malformed", "the value is not a JSON object")
    if value.count(b"[") + value.count(b"{") > MAX_NESTED and _is_nested_deeper(body, MAX_NESTED):
        raise Rejected("malformed", f"objects and lists are nested more than {MAX_NESTED} deep")
    return body


def _is_nested_deeper(body: object, limit: int) -> bool:
    level = [body]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
    return any(isinstance(node, dict | list) for node in level)


def _children(node: object) -> Iterable[object]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def parse_body_time(body: dict[str, Any], headers: dict[str, str], record: Record) -> float:
    """``at`` of a label's or a command's body, else `ce_time`, else when the log took the record in."""
    at = body.get("at")
    return parse_time(at if isinstance(at, str) else headers.get("ce_time"), record)


def parse_author(body: dict[str, Any]) -> str:
    """``by``: who sent a label or a command; empty if that is not given."""
    return str(body.get("by") or "")[:MAX_AUTHOR]


def parse_why(body: dict[str, Any]) -> str:
    """``why``: how the image was chosen to be labelled; empty if that is not given."""
    why = body.get("why")
    if why is None or why == "":
        return ""
    if not isinstance(why, str) or not valid_why(why):
        raise Rejected("bad-why", f"field why is {str(why)[:100]!r}: use {WHY_RULE}")
    return why


def parse_attributes(body: dict[str, Any]) -> Attributes:
    """The image's own attributes, as a prediction or an outcome has them. Raises AttributeError for another type."""
    attributes = body.get("attributes", NO_ATTRIBUTES)
    return {str(name): str(value) for name, value in attributes.items()} or NO_ATTRIBUTES
