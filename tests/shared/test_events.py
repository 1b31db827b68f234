"""Events: what is encoded is decoded again, and for anything else every decoder raises Rejected and nothing else."""

import json
import math
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.shared.events.attributes import NO_ATTRIBUTES
from prequel.shared.events.commands import applied_json, encode_applied, encode_command
from prequel.shared.events.dead_letters import encode_rejected
from prequel.shared.events.decoding import decode_example, decode_prediction_event
from prequel.shared.events.drifts import drift_json, encode_drift
from prequel.shared.events.features import encode_features
from prequel.shared.events.headers import timestamp
from prequel.shared.events.images import content_digest, decode_image, encode_image
from prequel.shared.events.labels import encode_label
from prequel.shared.events.names import COMMAND_PATTERN, normal_label, valid_id, valid_label, valid_stream
from prequel.shared.events.outcomes import encode_outcome, outcome_json
from prequel.shared.events.predictions import encode_prediction, prediction_json
from prequel.shared.events.types import (
    APPLIED_TYPE,
    COMMAND_TYPE,
    DRIFT_TYPE,
    ERASED_TYPE,
    FEATURES_TYPE,
    IMAGE_TYPE,
    LABEL_TYPE,
    OUTCOME_TYPE,
    PREDICTION_TYPE,
    REJECTED_TYPE,
    Applied,
    Command,
    Drift,
    Erased,
    Features,
    Image,
    Label,
    Outcome,
    Prediction,
    Rejected,
)
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS, Headers, Message, Position, Record

# What events are made of. Times are whole milliseconds, as they are written.

streams = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True)
ids = st.from_regex(r"[A-Za-z0-9._:-]{1,128}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=128)
labels = texts.map(normal_label).filter(valid_label)
times = st.integers(-62_135_596_800_000, 253_402_300_799_000).map(lambda milliseconds: milliseconds / 1000)
positions = st.builds(Position, st.integers(0, 1000), st.integers(0, 2**62))
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
vectors = st.lists(finite, min_size=1, max_size=40).map(lambda values: np.array(values, np.float32))
backbones = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
shares = st.dictionaries(labels, st.floats(0, 1), max_size=10)

DECODERS: list[Callable[[Record], object]] = [decode_image, decode_example, decode_prediction_event]


def close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=0, abs_tol=0.0011)


HERE = Position(3, 14)


def recorded(message: Message, position: Position = HERE) -> Record:
    partition, offset = position
    return Record(message.topic, partition, offset, message.key, message.value, message.headers, 1e9)


# Round trips.


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


@given(streams, ids, st.none() | labels, st.text(st.characters(codec="utf-8"), max_size=128), times, positions)
def test_labels(stream: str, id: str, label: str | None, by: str, time: float, position: Position) -> None:
    message = encode_label(stream, id, label, by=by, time=time, event_id="e", source="test")
    assert (message.topic, message.key) == (EXAMPLES, stream.encode())
    decoded = decode_example(recorded(message, position))
    assert isinstance(decoded, Label)
    assert close(decoded.time, time)
    assert decoded._replace(time=time) == Label(id, stream, label, by, time, position)


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
    image=positions,
    time=times,
    unknown=st.booleans(),
)
drifts = st.builds(
    Drift,
    stream=streams,
    position=positions,
    model=st.text(st.characters(codec="utf-8"), max_size=30),
    detector=st.sampled_from(["adwin", "page-hinkley"]),
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


Published = Prediction | Outcome | Drift | Applied


def published(event: Published) -> tuple[Message, dict[str, Any]]:
    """An event of the topic ``predictions``, encoded, and its JSON form."""
    if isinstance(event, Prediction):
        return encode_prediction(event, source="test"), prediction_json(event)
    if isinstance(event, Outcome):
        return encode_outcome(event, source="test"), outcome_json(event)
    if isinstance(event, Applied):
        return encode_applied(event, source="test"), applied_json(event)
    return encode_drift(event, source="test"), drift_json(event)


@given(predictions | outcomes | drifts | applied)
def test_predictions_outcomes_drifts_and_applied_commands(event: Published) -> None:
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


def bare(key: bytes | None, headers: Headers = (), value: bytes = b"x") -> Record:
    return Record(IMAGES, 2, 7, key, value, headers, 12.5)


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


# What is not valid: the reason, record by record.

GOOD_FEATURES = dict(
    encode_features(
        Image("i", "pets", None, 0.0, b"", Position(0, 5)), np.array([1, 2], np.float32), "b", source="test"
    ).headers
)
GOOD_LABEL = dict(encode_label("pets", "i", "cat", by="me", time=0.0, event_id="i", source="test").headers)
TWO = np.array([1, 2], "<f4").tobytes()


def changed(headers: dict[str, bytes], **changes: bytes | None) -> Headers:
    after = headers | {name: value for name, value in changes.items() if value is not None}
    return tuple((name, value) for name, value in after.items() if changes.get(name, value) is not None)


def example(value: bytes, headers: Headers, key: bytes | None = b"pets") -> Record:
    return Record(EXAMPLES, 0, 1, key, value, headers, 0.0)


BAD_IMAGES = [
    ("bad-stream", bare(None)),
    ("bad-stream", bare(b"")),
    ("bad-stream", bare(b"\xff")),
    ("bad-stream", bare(b"Pets")),
    ("bad-stream", bare(b"-pets")),
    ("bad-stream", bare(b"a/../b")),
    ("bad-stream", bare(b"x" * 64)),
    ("bad-stream", bare(b"pets\n")),
    ("bad-stream", bare(b"pets", (("ce_subject", b"a b"),))),
    ("bad-id", bare(b"pets", (("ce_id", b"a b"),))),
    ("bad-id", bare(b"pets", (("ce_id", b"x" * 129),))),
    ("bad-id", bare(b"pets", (("ce_id", "ä".encode()),))),
    ("bad-label", bare(b"pets", (("ce_label", b""),))),
    ("bad-label", bare(b"pets", (("ce_label", b"a\nb"),))),
    ("bad-label", bare(b"pets", (("ce_label", "\x85".encode()),))),
    ("bad-label", bare(b"pets", (("ce_label", b"x" * 129),))),
    ("malformed", bare(b"pets", (("ce_label", b"\xff"),))),
    ("unknown-type", bare(b"pets", (("ce_type", b"prequel.label.v1"),))),
    ("unknown-type", bare(b"pets", (("ce_type", b"prequel.image.v2"),))),
]

BAD_EXAMPLES = [
    ("unknown-type", example(TWO, ())),
    ("unknown-type", example(TWO, changed(GOOD_FEATURES, ce_type=b"prequel.image.v1"))),
    ("bad-stream", example(TWO, changed(GOOD_FEATURES), None)),
    ("bad-stream", example(TWO, changed(GOOD_FEATURES, ce_subject=b"pets"), b"\xff")),
    ("bad-features", example(b"", changed(GOOD_FEATURES, ce_dim=b"0"))),
    ("bad-features", example(TWO[:-1], changed(GOOD_FEATURES))),
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_dim=b"3"))),
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_dim=b"two"))),
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_dim=None))),
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_backbone=None))),
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_backbone=b""))),
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_image=None))),
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_image=b"5"))),
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_image=b"-1:5"))),
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_image=b"0:" + b"9" * 5000))),
    ("bad-features", example(np.array([1, np.nan], "<f4").tobytes(), changed(GOOD_FEATURES))),
    ("bad-features", example(np.array([-np.inf, 1], "<f4").tobytes(), changed(GOOD_FEATURES))),
    ("bad-features", example(np.array([np.inf, -np.inf], "<f4").tobytes(), changed(GOOD_FEATURES))),
    ("bad-id", example(TWO, changed(GOOD_FEATURES, ce_id=None))),
    ("bad-id", example(TWO, changed(GOOD_FEATURES, ce_id=b""))),
    ("bad-label", example(TWO, changed(GOOD_FEATURES, ce_label=b""))),
    ("malformed", example(TWO, changed(GOOD_FEATURES, ce_backbone=b"\xff"))),
    ("malformed", example(b"", changed(GOOD_LABEL))),
    ("malformed", example(b"\xff", changed(GOOD_LABEL))),
    ("malformed", example(b"[]", changed(GOOD_LABEL))),
    ("malformed", example(b'{"id":"i","label":"a"', changed(GOOD_LABEL))),
    ("malformed", example(b'{"id":"i","label":NaN}', changed(GOOD_LABEL))),
    ("malformed", example(b'{"id":"i","label":"\\ud800"}', changed(GOOD_LABEL))),
    ("malformed", example(b"[" * 100_000, changed(GOOD_LABEL))),
    ("bad-label", example(b"{}", changed(GOOD_LABEL))),
    ("bad-label", example(b'{"id":"i"}', changed(GOOD_LABEL))),
    ("bad-label", example(b'{"id":"i","label":1}', changed(GOOD_LABEL))),
    ("bad-label", example(b'{"id":"i","label":["a"]}', changed(GOOD_LABEL))),
    ("bad-label", example(b'{"id":"i","label":""}', changed(GOOD_LABEL))),
    ("bad-label", example(b'{"id":"i","label":"a\\u0000"}', changed(GOOD_LABEL))),
    ("bad-id", example(b'{"label":"a"}', changed(GOOD_LABEL))),
    ("bad-id", example(b'{"id":7,"label":"a"}', changed(GOOD_LABEL))),
    ("bad-id", example(b'{"id":"","label":"a"}', changed(GOOD_LABEL))),
    ("bad-id", example(b'{"id":{"a":"b"},"label":null}', changed(GOOD_LABEL))),
]


@pytest.mark.parametrize(("reason", "record"), BAD_IMAGES)
def test_a_bad_image_event_is_rejected(reason: str, record: Record) -> None:
    with pytest.raises(Rejected) as raised:
        decode_image(record)
    assert raised.value.reason == reason
    assert raised.value.detail


@pytest.mark.parametrize(("reason", "record"), BAD_EXAMPLES)
def test_a_bad_example_is_rejected(reason: str, record: Record) -> None:
    with pytest.raises(Rejected) as raised:
        decode_example(record)
    assert raised.value.reason == reason
    assert raised.value.detail


def test_large_but_finite_features_are_accepted() -> None:
    value = np.full(2, np.finfo(np.float32).max, "<f4").tobytes()
    assert isinstance(decode_example(example(value, changed(GOOD_FEATURES))), Features)


PREDICTION = prediction_json(
    Prediction("i", "pets", Position(0, 1), "m", "a", {"a": 1.0}, {"m": "a"}, None, Position(0, 2), 0.0)
)
OUTCOME = outcome_json(Outcome("i", "pets", Position(0, 1), "learned", "a", None, "a", True, 0.0))
DRIFT = drift_json(Drift("pets", Position(0, 1), "m", "adwin", 10, False, 0.0))
APPLIED = {
    "id": "c1",
    "stream": "pets",
    "position": "0:8",
    "do": "stream.delete",
    "status": "applied",
    "why": "",
    "by": "me",
    "at": "2024-01-01T00:00:00.000Z",
}
KINDS = [(PREDICTION_TYPE, PREDICTION), (OUTCOME_TYPE, OUTCOME), (DRIFT_TYPE, DRIFT), (APPLIED_TYPE, APPLIED)]
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:", max_size=3), inner, max_size=3),
    max_leaves=6,
)


def predicted(kind: str, body: object) -> Record:
    value = body if isinstance(body, bytes) else orjson.dumps(body)
    return Record(PREDICTIONS, 0, 0, b"pets", value, (("ce_type", kind.encode()),), 0.0)


@pytest.mark.parametrize(("kind", "body"), KINDS)
@pytest.mark.parametrize("value", [b"", b"null", b"[]", b"{}", b'"text"', b"\xff", b'{"id":'])
def test_a_value_that_is_not_a_json_object_is_rejected(kind: str, body: dict[str, Any], value: bytes) -> None:
    decode_prediction_event(predicted(kind, body))
    with pytest.raises(Rejected) as raised:
        decode_prediction_event(predicted(kind, value))
    assert raised.value.reason == "malformed"


@pytest.mark.parametrize(("kind", "body"), KINDS)
def test_a_prediction_outcome_or_drift_without_one_of_its_fields_is_rejected(kind: str, body: dict[str, Any]) -> None:
    for field in body.keys() - {"at", "unknown"}:
        with pytest.raises(Rejected):
            decode_prediction_event(predicted(kind, {name: value for name, value in body.items() if name != field}))


@given(st.sampled_from(KINDS), st.data())
def test_a_field_of_any_other_kind_is_rejected_or_harmless(
    kind: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    """What is decoded in spite of a strange field can be written and read again."""
    name, body = kind
    field = data.draw(st.sampled_from(sorted(body)))
    try:
        event = decode_prediction_event(predicted(name, body | {field: data.draw(junk)}))
    except Rejected:
        return
    encoded, _ = published(event)
    again = decode_prediction_event(recorded(encoded))
    assert again._replace(time=0.0) == event._replace(time=0.0)


# Anything at all.

names = st.sampled_from(
    [
        "ce_type",
        "ce_id",
        "ce_subject",
        "ce_label",
        "ce_time",
        "ce_dim",
        "ce_backbone",
        "ce_image",
        "ce_x",
        "content-type",
    ]
) | st.text(max_size=5)
known = [
    IMAGE_TYPE,
    FEATURES_TYPE,
    LABEL_TYPE,
    PREDICTION_TYPE,
    OUTCOME_TYPE,
    DRIFT_TYPE,
    APPLIED_TYPE,
    COMMAND_TYPE,
    ERASED_TYPE,
    REJECTED_TYPE,
    "pets",
    "0:1",
    "2",
    "1",
]
contents = st.binary(max_size=20) | st.sampled_from([text.encode() for text in known])
bodies = (
    st.binary(max_size=40)
    | junk.map(orjson.dumps)
    | st.dictionaries(st.sampled_from(sorted({*PREDICTION, *OUTCOME, *DRIFT, *APPLIED, "images"})), junk).map(
        orjson.dumps
    )
)
anything = st.builds(
    Record,
    topic=st.sampled_from([IMAGES, EXAMPLES, PREDICTIONS]),
    partition=st.integers(0, 100),
    offset=st.integers(0, 2**63 - 1),
    key=st.none() | contents,
    value=bodies,
    headers=st.lists(st.tuples(names, contents), max_size=12).map(tuple),
    appended_at=st.floats(0, 4e9),
)


@given(anything, st.sampled_from(DECODERS))
def test_whatever_the_record_a_decoder_raises_rejected_and_nothing_else(
    record: Record, decode: Callable[[Record], object]
) -> None:
    try:
        event = decode(record)
    except Rejected as rejected:
        check_dead_letter(record, rejected)
    else:
        assert isinstance(event, Image | Features | Label | Command | Erased | Published)


def check_dead_letter(record: Record, rejected: Rejected) -> None:
    """The record as it was, with the reason and where it came from, and all that CloudEvents requires."""
    assert rejected.reason
    assert str(rejected) == f"{rejected.reason}: {rejected.detail}"
    dead_letter = encode_rejected(record, rejected, source="test", time=0.0)
    headers = dict(dead_letter.headers)
    assert (dead_letter.topic, dead_letter.key, dead_letter.value) == (DEAD_LETTERS, record.key, record.value)
    assert headers["ce_type"] == REJECTED_TYPE.encode()
    assert headers["ce_reason"] == rejected.reason.encode()
    assert headers["ce_origin"] == f"{record.topic}:{record.partition}:{record.offset}".encode()
    assert rejected.detail.startswith(headers["ce_detail"].decode()[:400])
    assert {"ce_specversion", "ce_id", "ce_source", "ce_time", "content-type"} <= set(headers)
    added = {"ce_type", "ce_reason", "ce_origin", "ce_detail"}
    unchanged = [pair for pair in record.headers if pair[0] not in added]
    assert list(dead_letter.headers)[: len(unchanged)] == unchanged


# Names.


@pytest.mark.parametrize("name", ["pets", "0", "a" * 63, "a.b_c-d"])
def test_stream_names(name: str) -> None:
    assert valid_stream(name)


@pytest.mark.parametrize("name", ["", "A", ".a", "_a", "-a", "a" * 64, "a b", "a\n", "ä", "a/b"])
def test_invalid_stream_names(name: str) -> None:
    assert not valid_stream(name)


def test_ids_and_labels() -> None:
    assert valid_id("A1._:-")
    assert not any(valid_id(text) for text in ("", "a b", "a" * 129, "ä", "a\n", "a/b"))
    assert all(valid_label(text) for text in ("cat", "größe ✓", " ", "x" * 128, "🐈"))
    assert not any(valid_label(text) for text in ("", "\n", "a\x7fb", "\x00", "x" * 129))


@given(st.text(st.characters(codec="utf-8")))
def test_a_label_has_one_spelling(text: str) -> None:
    label = normal_label(text)
    assert normal_label(label) == label
    for other in (f" {text}\r\n", unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)):
        assert normal_label(other) == label


@pytest.mark.parametrize("text", ["Ka\u0308se", " K\u00e4se\t", "K\u00e4se\r\n", "\u00a0K\u00e4se"])
def test_whoever_wrote_the_log_no_decoder_gives_two_spellings(text: str) -> None:
    image = encode_image("i", "pets", b"x", label=text, time=0.0, source="test", content_type="image/png")
    decoded = decode_image(recorded(image))
    assert decoded.label == "K\u00e4se"
    features = encode_features(decoded._replace(label=text), np.ones(2, np.float32), "b", source="test")
    label = encode_label("pets", "i", text, by="", time=0.0, event_id="e", source="test")
    for each in (features, label):
        example = decode_example(recorded(each))
        assert isinstance(example, Features | Label)
        assert example.label == "K\u00e4se"
