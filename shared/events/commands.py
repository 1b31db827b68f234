"""The events `command` (topic `examples`) and `applied` (topic `predictions`): a change asked for, and its effect."""

from collections.abc import Mapping
from typing import Any

import orjson

from prequel.shared.events.fields import (
    parse_author,
    parse_body,
    parse_body_time,
    parse_id,
    parse_stream,
    parse_time,
    record_position,
)
from prequel.shared.events.headers import json_message, read_headers, timestamp
from prequel.shared.events.names import id_digest, split_hashes, valid_command, valid_digests
from prequel.shared.events.types import APPLIED_TYPE, COMMAND_TYPE, Applied, Command, Rejected
from prequel.shared.log.base import EXAMPLES, PREDICTIONS, Message, Position, Record
from prequel.shared.log.erasable import Remains

_COMMAND_FIELDS = ("id", "do", "by", "at")
"""Fields of every command; the rest of its JSON are the arguments."""


def encode_command(
    stream: str, id: str, do: str, *, arguments: Mapping[str, Any], by: str, time: float, source: str
) -> Message:
    """``do`` is the command's name, ``arguments`` its own JSON fields; ``time`` in seconds since the epoch."""
    body = {"id": id, "do": do, **arguments, "by": by, "at": timestamp(time)}
    return json_message(EXAMPLES, stream, body, event_type=COMMAND_TYPE, id=id, source=source, time=time)


def decode_command(record: Record, headers: dict[str, str], stream: str) -> Command:
    """``headers`` are the record's attributes, ``stream`` its key (see decode_example). Raises Rejected."""
    body = parse_body(record.value)
    do = body.get("do")
    if not isinstance(do, str) or not valid_command(do):
        raise Rejected("bad-command", f"field do must be a command like stream.delete, not {str(do)[:100]!r}")
    return Command(
        id=parse_id(body.get("id")),
        stream=stream,
        do=do,
        arguments={name: value for name, value in body.items() if name not in _COMMAND_FIELDS},
        by=parse_author(body),
        time=parse_body_time(body, headers, record),
        position=record_position(record),
    )


def redacted_command(record: Record) -> Remains:
    """A command that forgets images, with digests in the place of their ids."""
    record, _ = read_headers(record)
    body = parse_body(record.value)
    ids, hashed, digests = body.pop("ids", []), body.pop("hashed", None), body.get("digests")
    if not valid_digests(digests):  # Where it has them they count, whatever stands beside them: see `forgetting.py`.
        digests = [id_digest(id) for id in ids] if hashed is None else [split_hashes(text)[0] for text in hashed]
    return Remains(record.headers, orjson.dumps({**body, "digests": digests}))


def applied_json(applied: Applied) -> dict[str, Any]:
    """The JSON form of a command's effect, over HTTP; in the log it also says what was forgotten."""
    return {
        "id": applied.id,
        "stream": applied.stream,
        "position": str(applied.position),
        "do": applied.do,
        "status": applied.status,
        "why": applied.why,
        "by": applied.by,
        "at": timestamp(applied.time),
        **({"catching_up": True} if applied.catching_up else {}),
        **({"advice": applied.advice} if applied.advice else {}),
    }


def encode_applied(applied: Applied, *, source: str) -> Message:
    return json_message(
        PREDICTIONS,
        applied.stream,
        applied_json(applied) | ({"forgotten": list(applied.forgotten)} if applied.forgotten else {}),
        event_type=APPLIED_TYPE,
        id=f"{applied.id}@{applied.position}",
        source=source,
        time=applied.time,
    )


def applied_from_json(body: dict[str, Any], record: Record) -> Applied:
    """Raises Rejected, and what a missing field or one of a wrong type raises: see ``decode_prediction_event``."""
    return Applied(
        id=parse_id(body["id"]),
        stream=parse_stream(body["stream"]),
        position=Position.parse(body["position"]),
        do=str(body["do"]),
        status=str(body["status"]),
        why=str(body["why"]),
        by=str(body["by"]),
        time=parse_time(body["at"], record),
        catching_up=body.get("catching_up") is True,
        forgotten=tuple(map(str, body.get("forgotten", ()))),
        advice=str(body.get("advice", "")),
    )
