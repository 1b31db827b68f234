"""The event `prediction` (topic `predictions`): what the models predicted of an example before they learned it."""

from typing import Any

from prequel.shared.events.fields import parse_attributes, parse_id, parse_label, parse_stream, parse_time
from prequel.shared.events.headers import json_message, timestamp, with_attributes
from prequel.shared.events.types import PREDICTION_TYPE, Prediction
from prequel.shared.log.base import PREDICTIONS, Message, Position, Record


def prediction_json(prediction: Prediction) -> dict[str, Any]:
    """The JSON form of a prediction, in the log and over HTTP."""
    # Unpacked at once, for this runs for every image: as attributes they would take twice as long.
    id, stream, position, model, label, probabilities, models, truth, image, time, unknown = prediction[:11]
    attributes, labels, set_level, set_size = prediction[11:]
    body = {
        "id": id,
        "stream": stream,
        "position": str(position),
        "model": model,
        "label": label,
        "probabilities": probabilities,
        "models": models,
        "truth": truth,
        "image": None if image is None else str(image),
        "at": timestamp(time),
        "unknown": unknown,
        "set": labels,
        "set_level": set_level,
        "set_size": set_size,
    }
    return with_attributes(body, attributes)


def encode_prediction(prediction: Prediction, *, source: str) -> Message:
    return json_message(
        PREDICTIONS,
        prediction.stream,
        prediction_json(prediction),
        event_type=PREDICTION_TYPE,
        id=prediction.id,
        source=source,
        time=prediction.time,
    )


def prediction_from_json(body: dict[str, Any], record: Record) -> Prediction:
    """Raises Rejected, and what a missing field or one of a wrong type raises: see ``decode_prediction_event``."""
    if not all(type(share) in (float, int) for share in body["probabilities"].values()):
        raise TypeError("a probability is not a number")
    if type(labels := body.get("set", [])) is not list:
        raise TypeError("set is not a list")
    return Prediction(
        id=parse_id(body["id"]),
        stream=parse_stream(body["stream"]),
        position=Position.parse(body["position"]),
        model=str(body["model"]),
        label=parse_label(body["label"]),
        probabilities=body["probabilities"],
        models={model: parse_label(label) for model, label in body["models"].items()},
        truth=parse_label(body["truth"]),
        image=None if body["image"] is None else Position.parse(body["image"]),
        time=parse_time(body["at"], record),
        unknown=body.get("unknown") is True,
        attributes=parse_attributes(body),
        labels=tuple(map(str, labels)),
        set_level=float(body.get("set_level", 0.0)),
        set_size=int(body.get("set_size", 0)),
    )
