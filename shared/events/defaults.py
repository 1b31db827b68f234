"""The event `defaults` (topic `examples`): the settings that the learner of one partition uses from there on."""

from collections.abc import Mapping
from typing import Any

from prequel.shared.events.fields import parse_body, record_position
from prequel.shared.events.headers import json_message, timestamp
from prequel.shared.events.types import DEFAULTS_TYPE, Defaults, Rejected
from prequel.shared.log.base import EXAMPLES, Message, Record


def encode_defaults(
    settings: Mapping[str, Any], partition: int, *, started: float, by: str, time: float, event_id: str, source: str
) -> Message:
    """To one partition, without a key: each partition has its own learner, and its own defaults."""
    body = {"settings": settings, "started": started, "by": by, "at": timestamp(time)}
    message = json_message(EXAMPLES, None, body, event_type=DEFAULTS_TYPE, id=event_id, source=source, time=time)
    return message._replace(partition=partition)


def decode_defaults(record: Record) -> Defaults:
    """Whether the settings are allowed is not checked here. Raises Rejected."""
    body = parse_body(record.value)
    settings, started = body.get("settings"), body.get("started")
    if not isinstance(settings, dict) or isinstance(started, bool) or not isinstance(started, int | float):
        raise Rejected("bad-defaults", "field settings must be an object, and field started a time in seconds")
    return Defaults(settings, float(started), record_position(record))
