"""The event `drift` (topic `predictions`): a detector found that a model's error, or the features, have changed."""

from typing import Any

from prequel.shared.events.fields import parse_stream, parse_time
from prequel.shared.events.headers import json_message, timestamp
from prequel.shared.events.types import DRIFT_TYPE, Drift
from prequel.shared.log.base import PREDICTIONS, Message, Position, Record


def drift_json(drift: Drift) -> dict[str, Any]:
    """The JSON form of a drift, in the log and over HTTP."""
    return {
        "stream": drift.stream,
        "position": str(drift.position),
        "model": drift.model,
        "detector": drift.detector,
        "scored": drift.scored,
        "reset": drift.reset,
        "at": timestamp(drift.time),
    }


def encode_drift(drift: Drift, *, source: str) -> Message:
    return json_message(
        PREDICTIONS,
        drift.stream,
        drift_json(drift),
        event_type=DRIFT_TYPE,
        id=f"{drift.model or drift.detector}@{drift.position}",
        source=source,
        time=drift.time,
    )


def drift_from_json(body: dict[str, Any], record: Record) -> Drift:
    """Raises Rejected, and what a missing field or one of a wrong type raises: see ``decode_prediction_event``."""
    if type(body["scored"]) is not int:
        raise TypeError("scored is not a whole number")
    return Drift(
        stream=parse_stream(body["stream"]),
        position=Position.parse(body["position"]),
        model=str(body["model"]),
        detector=str(body["detector"]),
        scored=body["scored"],
        reset=body["reset"] is True,
        time=parse_time(body["at"], record),
    )
