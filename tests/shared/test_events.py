"""Events: what is encoded is decoded again, and images from other clients are read."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.shared.events.attributes import NO_ATTRIBUTES
from prequel.shared.events.commands import encode_command
from prequel.shared.events.decoding import decode_example, decode_prediction_event
from prequel.shared.events.drifts import encode_drift
from prequel.shared.events.features import encode_example, encode_features
from prequel.shared.events.headers import timestamp
from prequel.shared.events.images import content_digest, decode_image, encode_image
from prequel.shared.events.labels import encode_label
from prequel.shared.events.names import COMMAND_PATTERN
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import (
    DRIFT_TYPE,
    FEATURES_TYPE,
    IMAGE_TYPE,
    LABEL_TYPE,
    OUTCOME_TYPE,
    PREDICTION_TYPE,
    Applied,
    Command,
    Drift,
    Features,
    Image,
    Label,
    Outcome,
    Prediction,
    PredictionEvent,
)
from prequel.shared.log.base import EXAMPLES, IMAGES, PREDICTIONS, Message, Position
from tests.shared.events import (
    HERE,
    backbones,
    bare,
    close,
    ids,
    labels,
    positions,
    published,
    reasons,
    recorded,
    shares,
    streams,
    times,
    vectors,
)


@given(ids, streams, st.binary(), st.none() | labels, times, positions)
def test_images(id: str, stream: str, data: bytes, label: str | None, time: float, position: Position) -> None:
    message = encode_image(id, stream, data, label=label, time=time, source="prequel/test", content_type="image/png")
    assert (message.topic, message.key, message.value) == (IMAGES, None, data)
    image = decode_image(recorded(message, position))
    assert close(image.time, time)
    assert image._replace(time=time) == Image(id, stream, label, time, data, position)


@given(ids, streams, st.none() | labels, times, backbones, vectors, positions, positions)
def test_features(
    id: str,
    stream: str,
    label: str | None,
    time: float,
    backbone: str,
    vector: np.ndarray[Any, np.dtype[np.float32]],
    where: Position,
    position: Position,
) -> None:
    image = Image(id, stream, label, time, b"", where)
    extra = (("ce_precision", b"bfloat16"),)
    message = encode_features(image, vector, backbone, source="prequel/test", extra=extra)
    assert (message.topic, message.key) == (EXAMPLES, stream.encode())
    assert set(extra) < set(message.headers)
    features = decode_example(recorded(message, position))
    assert isinstance(features, Features)
    assert close(features.time, time)
    assert features.vector.dtype == np.float32
    assert features.vector.tobytes() == vector.tobytes()
    assert features._replace(time=time, vector=vector) == Features(
        id, stream, label, time, backbone, vector, where, position, NO_ATTRIBUTES, content_digest(b"")
    )


@given(ids, streams, st.none() | labels, times, backbones, vectors, positions)
def test_features_without_an_image(
    id: str,
    stream: str,
    label: str | None,
    time: float,
    backbone: str,
    vector: np.ndarray[Any, np.dtype[np.float32]],
    position: Position,
) -> None:
    message = encode_example(id, stream, vector, backbone, label=label, time=time, source="prequel/test")
    assert (message.topic, message.key) == (EXAMPLES, stream.encode())
    features = decode_example(recorded(message, position))
    assert isinstance(features, Features)
    assert features._replace(time=time, vector=vector) == Features(
        id, stream, label, time, backbone, vector, None, position, NO_ATTRIBUTES, content_digest(vector.tobytes())
    )


@given(streams, ids, st.none() | labels, st.text(st.characters(codec="utf-8"), max_size=128), reasons, times, positions)
def test_labels(stream: str, id: str, label: str | None, by: str, why: str, time: float, position: Position) -> None:
    message = encode_label(stream, id, label, by=by, time=time, event_id="e", source="test", why=why)
    assert (message.topic, message.key) == (EXAMPLES, stream.encode())
    decoded = decode_example(recorded(message, position))
    assert isinstance(decoded, Label)
    assert close(decoded.time, time)
    assert decoded._replace(time=time) == Label(id, stream, label, by, time, position, why)


predictions = st.builds(
    Prediction,
    id=ids,
    stream=streams,
    position=positions,
    model=st.text(st.characters(codec="utf-8"), max_size=30),
    label=st.none() | labels,
    probabilities=shares,
    models=st.dictionaries(ids, st.none() | labels, max_size=4),
    truth=st.none() | labels,
    image=st.none() | positions,
    time=times,
    unknown=st.booleans(),
    labels=st.lists(labels, max_size=10).map(tuple),
    set_level=st.sampled_from([0.0, 0.9, 0.99]),
    set_size=st.integers(0, 1_000),
)
drifts = st.builds(
    Drift,
    stream=streams,
    position=positions,
    model=st.text(st.characters(codec="utf-8"), max_size=30),
    detector=st.sampled_from(["adwin", "page-hinkley", "features"]),
    scored=st.integers(0, 2**53),
    reset=st.booleans(),
    time=times,
)
outcomes = st.builds(
    Outcome,
    id=ids,
    stream=streams,
    position=positions,
    status=st.sampled_from(["learned", "corrected", "retracted", "unchanged", "waiting", "expired", "rejected"]),
    label=st.none() | labels,
    previous=st.none() | labels,
    predicted=st.none() | labels,
    exact=st.booleans(),
    time=times,
)


applied = st.builds(
    Applied,
    id=ids,
    stream=streams,
    position=positions,
    do=st.from_regex(COMMAND_PATTERN, fullmatch=True),
    status=st.sampled_from(["applied", "refused", "unchanged"]),
    why=st.text(st.characters(codec="utf-8"), max_size=60),
    by=st.text(st.characters(codec="utf-8"), max_size=128),
    time=times,
    advice=st.text(st.characters(codec="utf-8"), max_size=60),
)
more = st.dictionaries(
    st.sampled_from(["images", "from", "to", "model"]),
    st.text(st.characters(codec="utf-8"), max_size=9) | st.integers(0, 9),
)


@given(streams, ids, st.from_regex(COMMAND_PATTERN, fullmatch=True), more, times, positions)
def test_commands(stream: str, id: str, do: str, more: dict[str, object], time: float, position: Position) -> None:
    message = encode_command(stream, id, do, arguments=more, by="me", time=time, source="test")
    assert (message.topic, message.key) == (EXAMPLES, stream.encode())
    decoded = decode_example(recorded(message, position))
    assert isinstance(decoded, Command)
    assert close(decoded.time, time)
    assert decoded._replace(time=time) == Command(id, stream, do, more, "me", time, position)


@given(predictions | outcomes | drifts | applied)
def test_predictions_outcomes_drifts_and_applied_commands(event: PredictionEvent) -> None:
    message, form = published(event)
    assert (message.topic, message.key) == (PREDICTIONS, event.stream.encode())
    assert json.loads(message.value) == json.loads(json.dumps(form))
    decoded = decode_prediction_event(recorded(message))
    assert type(decoded) is type(event)
    assert close(decoded.time, event.time)
    assert decoded._replace(time=0.0) == event._replace(time=0.0)


@pytest.mark.parametrize(
    ("message", "kind", "content_type"),
    [
        (
            encode_image("i", "pets", b"x", label=None, time=1.5, source="test", content_type="image/webp"),
            IMAGE_TYPE,
            b"image/webp",
        ),
        (
            encode_features(
                Image("i", "pets", None, 1.5, b"", Position(0, 0)), np.ones(2, np.float32), "b", source="test"
            ),
            FEATURES_TYPE,
            b"application/octet-stream",
        ),
        (
            encode_label("pets", "i", None, by="", time=1.5, event_id="i", source="test"),
            LABEL_TYPE,
            b"application/json",
        ),
        (
            encode_prediction(
                Prediction("i", "pets", Position(0, 0), "m", None, {}, {}, None, Position(0, 0), 1.5), source="test"
            ),
            PREDICTION_TYPE,
            b"application/json",
        ),
        (
            encode_outcome(Outcome("i", "pets", Position(0, 0), "learned", "a", None, None, True, 1.5), source="test"),
            OUTCOME_TYPE,
            b"application/json",
        ),
        (encode_drift(Drift("pets", HERE, "m", "adwin", 1, True, 1.5), source="test"), DRIFT_TYPE, b"application/json"),
    ],
    ids=["image", "features", "label", "prediction", "outcome", "drift"],
)
def test_every_event_has_the_attributes_of_cloudevents(message: Message, kind: str, content_type: bytes) -> None:
    headers = dict(message.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == kind.encode()
    assert headers["ce_source"] == b"test"
    assert headers["ce_time"] == b"1970-01-01T00:00:01.500Z"
    assert headers["content-type"] == content_type
    assert headers["ce_id"] in (b"i", b"i@0:0:learned", b"m@3:14")


# Images from other clients.


def test_a_bare_image_needs_its_stream_as_key_and_no_more() -> None:
    assert decode_image(bare(b"pets")) == Image("images:2:7", "pets", None, 12.5, b"x", Position(2, 7))


def test_the_subject_wins_over_the_key() -> None:
    assert decode_image(bare(b"not a stream!", (("ce_subject", b"pets"),))).stream == "pets"
    assert decode_image(bare(b"cars", (("ce_subject", b"pets"),))).stream == "pets"


def test_other_headers_are_ignored() -> None:
    headers = (("traceparent", b"\xff\xfe"), ("ce_label", b"cat"), ("ce_id", b"one"))
    assert decode_image(bare(b"pets", headers))[:3] == ("one", "pets", "cat")


@pytest.mark.parametrize("time", [b"yesterday", b"", b"2025-13-01", b"1700000000", b"2025-01-01T00:00:00+99:00"])
def test_an_unreadable_time_becomes_the_time_of_the_append(time: bytes) -> None:
    assert decode_image(bare(b"pets", (("ce_time", time),))).time == 12.5


def test_times_are_read_with_and_without_a_zone() -> None:
    for text in (b"1970-01-01T01:00:00", b"1970-01-01T01:00:00Z", b"1970-01-01T03:00:00+02:00", b"1970-01-01 01:00"):
        assert decode_image(bare(b"pets", (("ce_time", text),))).time == 3600


@pytest.mark.parametrize(
    "time", [b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59.999999-23:59", b"0001-01-01T00:00:00Z"]
)
def test_a_time_at_the_edge_of_the_calendar_can_be_written_again(time: bytes) -> None:
    image = decode_image(bare(b"pets", (("ce_time", time),)))
    again = decode_image(
        recorded(encode_image("i", "pets", b"", label=None, time=image.time, source="t", content_type="t"))
    )
    assert abs(again.time - image.time) <= 86_400


@given(st.floats(allow_nan=False))
def test_any_time_can_be_written(seconds: float) -> None:
    assert timestamp(seconds).endswith("Z")
