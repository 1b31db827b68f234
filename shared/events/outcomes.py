"""The event `outcome` (topic `predictions`): the effect of one label."""

from typing import Any

from prequel.shared.events.fields import parse_attributes, parse_id, parse_label, parse_stream, parse_time
from prequel.shared.events.headers import json_message, timestamp, with_attributes
from prequel.shared.events.types import OUTCOME_TYPE, Outcome, Rejected
from prequel.shared.log.base import PREDICTIONS, Message, Position, Record

TOO_MANY_LABELS = "too-many-labels"
"""Why an outcome is ``rejected``, the only reason there is: also that of the label's dead letter."""


def too_many_labels() -> Rejected:
    """What the learner and the gateway say of a label whose outcome is ``rejected``: the same, whoever answers."""
    limits = "the stream accepts no more classes (PREQUEL_MAX_LABELS), or no more labels that wait"
    return Rejected(TOO_MANY_LABELS, limits)


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The JSON form of an outcome, in the log and over HTTP."""
    body = {
        "id": outcome.id,
        "stream": outcome.stream,
        "position": str(outcome.position),
        "status": outcome.status,
        "label": outcome.label,
        "previous": outcome.previous,
        "predicted": outcome.predicted,
        "exact": outcome.exact,
        "at": timestamp(outcome.time),
    }
    return with_attributes(body, outcome.attributes)


def encode_outcome(outcome: Outcome, *, source: str) -> Message:
    return json_message(
        PREDICTIONS,
        outcome.stream,
        outcome_json(outcome),
        event_type=OUTCOME_TYPE,
        id=f"{outcome.id}@{outcome.position}:{outcome.status}",
        source=source,
        time=outcome.time,
    )


def outcome_from_json(body: dict[str, Any], record: Record) -> Outcome:
    """Raises Rejected, and what a missing field or one of a wrong type raises: see ``decode_prediction_event``."""
    return Outcome(
        id=parse_id(body["id"]),
        stream=parse_stream(body["stream"]),
        position=Position.parse(body["position"]),
        status=str(body["status"]),
        label=parse_label(body["label"]),
        previous=parse_label(body["previous"]),
        predicted=parse_label(body["predicted"]),
        exact=bool(body["exact"]),
        time=parse_time(body.get("at"), record),
        attributes=parse_attributes(body),
    )
