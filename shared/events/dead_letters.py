"""The event `rejected` (topic `dead-letters`): a record that could not be processed, with the reason."""

from prequel.shared.events.attributes import canonical
from prequel.shared.events.headers import BINARY, event_headers
from prequel.shared.events.types import REJECTED_TYPE, Rejected
from prequel.shared.log.base import DEAD_LETTERS, Message, Record

_IDENTIFYING = ("ce_id", "ce_subject", "ce_image", "ce_dim", "ce_source", "ce_time")
"""Attributes by which somebody who waits for a record may recognize it."""
_SHORT_BYTES = 256
"""Longest attribute or key that an abridged dead letter keeps: the longest valid id is half as long, and six of them
stay far below the smallest record that any log takes."""
_MAX_DETAIL = 500
"""Longest detail, in characters: it may quote what a stranger sent."""


def encode_rejected(record: Record, rejected: Rejected, *, source: str, time: float) -> Message:
    """The record unchanged, with the reason and its origin; its own attributes stay, except for the type.

    A bare record gets the attributes that CloudEvents requires.
    """
    origin = _origin(record)
    own = {
        "ce_type": REJECTED_TYPE.encode(),
        "ce_reason": rejected.reason.encode(),
        "ce_origin": origin.encode(),
        "ce_detail": rejected.detail[:_MAX_DETAIL].encode("utf-8", "replace"),
    }
    present = {canonical(name) for name, _ in record.headers}
    unchanged = [pair for pair in record.headers if canonical(pair[0]) not in own]
    required = event_headers(REJECTED_TYPE, origin, source=source, time=time, content_type=BINARY)
    added = {name: value for name, value in required if name not in present} | own
    return Message(DEAD_LETTERS, record.key, record.value, (*unchanged, *added.items()))


def abridged(record: Record, rejected: Rejected) -> tuple[Record, Rejected]:
    """What to encode instead where the dead letter would be larger than the log takes: a few KB, whatever the record.

    The value is left out, and the detail says so; key and attributes stay where they are short and identify the record.
    """
    spelled = {canonical(name): value for name, value in record.headers}
    short = {name: value for name, value in spelled.items() if name in _IDENTIFYING and len(value) <= _SHORT_BYTES}
    key = record.key if len(record.key or b"") <= _SHORT_BYTES else None
    note = f"too large for a dead letter; its value ({len(record.value)} bytes) is only at {_origin(record)}: "
    return record._replace(key=key, value=b"", headers=tuple(short.items())), Rejected(
        rejected.reason, note + rejected.detail
    )


def _origin(record: Record) -> str:
    return f"{record.topic}:{record.partition}:{record.offset}"
