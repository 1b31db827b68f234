"""The event `label` (topic `examples`): the label that somebody gives to an image, or takes back."""

from prequel.shared.events.fields import (
    parse_author,
    parse_body,
    parse_body_time,
    parse_id,
    parse_label,
    parse_why,
    record_position,
)
from prequel.shared.events.headers import json_message, timestamp
from prequel.shared.events.types import LABEL_TYPE, Label, Rejected
from prequel.shared.log.base import EXAMPLES, Message, Record


def encode_label(
    stream: str, id: str, label: str | None, *, by: str, time: float, event_id: str, source: str, why: str = ""
) -> Message:
    """``id`` is the image's, ``event_id`` the event's own; ``label`` None retracts; ``time`` in epoch seconds.

    ``why``: how the image was chosen to be labelled, see ``Label``; empty where that is not known.
    """
    body = {"id": id, "label": label, "by": by, "at": timestamp(time), **({"why": why} if why else {})}
    return json_message(EXAMPLES, stream, body, event_type=LABEL_TYPE, id=event_id, source=source, time=time)


def decode_label(record: Record, headers: dict[str, str], stream: str) -> Label:
    """``headers`` are the record's attributes, ``stream`` its key (see decode_example). Raises Rejected."""
    body = parse_body(record.value)
    if "label" not in body or not (body["label"] is None or isinstance(body["label"], str)):
        raise Rejected("bad-label", "field label must be text, or null to retract")
    return Label(
        id=parse_id(body.get("id")),
        stream=stream,
        label=parse_label(body["label"]),
        by=parse_author(body),
        time=parse_body_time(body, headers, record),
        position=record_position(record),
        why=parse_why(body),
    )
