"""Records that are not events: every decoder raises Rejected with the reason, and nothing else, whatever the bytes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.shared.events.dead_letters import encode_rejected
from prequel.shared.events.decoding import decode_example, decode_prediction_event
from prequel.shared.events.drifts import drift_json
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image
from prequel.shared.events.labels import encode_label
from prequel.shared.events.outcomes import outcome_json
from prequel.shared.events.predictions import prediction_json
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
    Command,
    Drift,
    Erased,
    Features,
    Image,
    Label,
    Outcome,
    Prediction,
    PredictionEvent,
    Rejected,
)
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS, Headers, Position, Record
from prequel.shared.vectors import MAX_VALUE
from tests.shared.events import DECODERS, bare, published, recorded

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
    ("bad-features", example(TWO, changed(GOOD_FEATURES, ce_image=b""))),
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
    ("bad-why", example(b'{"id":"i","label":"a","why":"Random"}', changed(GOOD_LABEL))),
    ("bad-why", example(b'{"id":"i","label":"a","why":"a b"}', changed(GOOD_LABEL))),
    ("bad-why", example(b'{"id":"i","label":"a","why":["random"]}', changed(GOOD_LABEL))),
    ("bad-why", example(b'{"id":"i","label":null,"why":"a-word-of-more-than-32-characters-x"}', changed(GOOD_LABEL))),
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


def test_features_of_the_largest_values_are_accepted_and_larger_ones_rejected() -> None:
    largest = np.full(2, MAX_VALUE, "<f4")
    assert isinstance(decode_example(example(largest.tobytes(), changed(GOOD_FEATURES))), Features)
    with pytest.raises(Rejected, match="value 0 is 3e\\+15, too large to compute with: scale the features"):
        decode_example(example((3 * largest).tobytes(), changed(GOOD_FEATURES)))


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
    for field in body.keys() - {"at", "unknown", "set", "set_level", "set_size"}:
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
        assert isinstance(event, Image | Features | Label | Command | Erased | PredictionEvent)


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


@pytest.mark.parametrize("event_type", [LABEL_TYPE, COMMAND_TYPE])
def test_json_that_is_nested_deeper_than_python_can_follow_is_rejected(event_type: str) -> None:
    """Its text alone, for a history or a dead letter, would end the learner, and each one after it."""
    deep = b"[" * 1_000 + b"]" * 1_000
    body = b'{"id": "i", "do": "class.rename", "label": "cat", "from": %s, "by": %s}' % (deep, deep)
    headers = tuple({**GOOD_LABEL, "ce_type": event_type.encode()}.items())
    with pytest.raises(Rejected, match="nested more than 50 deep"):
        decode_example(Record(EXAMPLES, 0, 0, b"pets", body, headers, 0.0))
