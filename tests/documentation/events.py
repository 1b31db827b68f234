"""The events reference: one real record of each type, made by the encoders, with what its docstring says of it."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from prequel.shared.events import types
from prequel.shared.events.commands import encode_applied, encode_command
from prequel.shared.events.dead_letters import encode_rejected
from prequel.shared.events.defaults import encode_defaults
from prequel.shared.events.drifts import encode_drift
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image, encode_image
from prequel.shared.events.labels import encode_label
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.log.base import Message, Position, Record

NOW = 1_763_000_000.0
IMAGE, FEATURES, LABEL = Position(0, 41), Position(0, 57), Position(0, 63)
ID = "4d3c50f36a3441ae9319c1ac89bbacbc"
PICTURE = b"\xff\xd8\xff..."

WRITERS = {
    types.IMAGE_TYPE: "anybody: the gateway, a Kafka client",
    types.FEATURES_TYPE: "extractor; the gateway, for features that somebody sent",
    types.LABEL_TYPE: "anybody: the gateway, a Kafka client",
    types.COMMAND_TYPE: "anybody: the gateway, a Kafka client",
    types.DEFAULTS_TYPE: "learner",
    types.PREDICTION_TYPE: "learner",
    types.OUTCOME_TYPE: "learner",
    types.DRIFT_TYPE: "learner",
    types.APPLIED_TYPE: "learner",
    types.REJECTED_TYPE: "extractor, learner",
}


class Sample(NamedTuple):
    """One type of event: the class whose docstring describes it, and a record of it."""

    described_by: type
    message: Message


def events() -> str:
    return "\n\n".join(section(each) for each in samples())


def section(sample: Sample) -> str:
    headers = dict(sample.message.headers)
    kind = headers["ce_type"].decode()
    key = sample.message.key.decode() if sample.message.key else "none"
    lines = [
        f"### {kind}",
        "",
        " ".join((sample.described_by.__doc__ or "").split()),
        "",
        f"Topic `{sample.message.topic}`, key `{key}`, written by: {WRITERS[kind]}.",
        "",
        "```text",
        *(f"{name}: {value.decode()}" for name, value in headers.items()),
        "",
        value_text(sample.message, headers),
        "```",
    ]
    return "\n".join(lines)


def value_text(message: Message, headers: dict[str, bytes]) -> str:
    if headers["content-type"] == b"application/json":
        return json.dumps(json.loads(message.value), indent=2)
    if headers["ce_type"] == types.FEATURES_TYPE.encode():
        return f"({len(message.value)} bytes: {headers['ce_dim'].decode()} little-endian float32 values)"
    return f"({len(message.value)} bytes: the encoded image)"


def samples() -> Iterator[Sample]:
    image = encode_image(
        ID, "pets", PICTURE, label="cat", time=NOW, source="prequel/gateway", content_type="image/jpeg"
    )
    record = Record("images", IMAGE.partition, IMAGE.offset, None, image.value, image.headers, NOW)
    yield Sample(types.Image, image)
    decoded = decode_image(record)
    vector = np.zeros(1280, np.float32)
    extra = (("ce_precision", b"bfloat16"),)
    backbone = "mobilenetv2-avg-224-2d17efdd"
    yield Sample(types.Features, encode_features(decoded, vector, backbone, source="prequel/extractor", extra=extra))
    yield Sample(types.Label, label())
    end = {"images": {"0": 42}}
    yield Sample(
        types.Command,
        encode_command("pets", "c1", "stream.delete", arguments=end, by="ann", time=NOW, source="prequel/gateway"),
    )
    yield Sample(types.Defaults, defaults())
    yield from learned()
    rejected = types.Rejected("undecodable", "the file ends after 6 bytes: send the whole JPEG")
    yield Sample(types.Rejected, encode_rejected(record, rejected, source="prequel/extractor", time=NOW))


def label() -> Message:
    return encode_label("pets", ID, "dog", by="ann", time=NOW, event_id="e7", source="prequel/gateway", why="uncertain")


def defaults() -> Message:
    """Only a few of the settings: all of them are a screenful."""
    settings = {"models": ["slda", "logistic"], "seed": 0, "window": 50_000}
    return encode_defaults(
        settings, 0, started=NOW, by="learner-1", time=NOW, event_id="defaults:0:learner-1", source="prequel/learner"
    )


def learned() -> Iterator[Sample]:
    """What a learner writes: the answers to the events above."""
    source = "prequel/learner"
    prediction = types.Prediction(
        id=ID,
        stream="pets",
        position=FEATURES,
        model="slda",
        label="cat",
        probabilities={"cat": 0.997, "dog": 0.003},
        models={"slda": "cat", "logistic": "cat"},
        truth="cat",
        image=IMAGE,
        time=NOW,
        labels=("cat",),
        set_level=0.99,
        set_size=1,
    )
    yield Sample(types.Prediction, encode_prediction(prediction, source=source))
    outcome = types.Outcome(
        id=ID,
        stream="pets",
        position=LABEL,
        status="corrected",
        label="dog",
        previous="cat",
        predicted="cat",
        exact=False,
        time=NOW,
    )
    yield Sample(types.Outcome, encode_outcome(outcome, source=source))
    drift = types.Drift("pets", FEATURES, "logistic", "adwin", 1200, reset=False, time=NOW)
    yield Sample(types.Drift, encode_drift(drift, source=source))
    applied = types.Applied("c1", "pets", LABEL, "stream.delete", "applied", "", "ann", NOW)
    yield Sample(types.Applied, encode_applied(applied, source=source))
