"""Attributes in any spelling and mode are read; the sender's own travel from the image to prediction and outcome."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prequel.shared.events.attributes import MAX_ATTRIBUTES, MAX_BYTES, canonical, extensions
from prequel.shared.events.dead_letters import encode_rejected
from prequel.shared.events.decoding import decode_example, decode_prediction_event
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image, encode_image, payload
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.structured import STRUCTURED, Malformed, parse_structured, to_binary_mode
from prequel.shared.events.types import Features, Image, Label, Outcome, Prediction, Rejected
from prequel.shared.log.base import EXAMPLES, IMAGES, Headers, Message, Position, Record

TRACE = {"traceparent": "00-abc-def-01", "camera": "north", "source": "https://camera.example/7"}
PIXELS = b"\xff\xd8\xff and so on"


def written(message: Message) -> Record:
    return Record(message.topic, 0, 7, message.key, message.value, message.headers, 12.5)


def image(headers: Headers, value: bytes = PIXELS, key: bytes | None = b"pets") -> Image:
    return decode_image(Record(IMAGES, 0, 7, key, value, headers, 12.5))


@pytest.mark.parametrize("spelling", ["ce_{}", "ce-{}", "CE_{}", "Ce-{}"])
@pytest.mark.parametrize("change", [str, str.upper, str.title])
def test_headers_of_any_spelling(spelling: str, change: Any) -> None:
    attributes = {"id": "a", "subject": "yard", "label": "cat", "camera": "north"}
    headers = tuple((spelling.format(change(name)), value.encode()) for name, value in attributes.items())
    decoded = image((*headers, ("Content-Type", b"image/jpeg")))
    assert (decoded.id, decoded.stream, decoded.label, dict(decoded.attributes)) == (
        "a",
        "yard",
        "cat",
        {"camera": "north"},
    )


def event(**more: object) -> bytes:
    basic = {"specversion": "1.0", "id": "a", "source": "/camera", "type": "prequel.image.v1", "subject": "yard"}
    return json.dumps({**basic, **more}).encode()


@pytest.mark.parametrize("kind", [STRUCTURED, STRUCTURED + "; charset=utf-8", STRUCTURED.upper()])
def test_an_image_in_structured_mode(kind: str) -> None:
    text = event(data_base64=base64.b64encode(PIXELS).decode(), label="cat", level=3, night=True, none=None)
    record = Record(IMAGES, 0, 7, None, text, (("Content-Type", kind.encode()),), 12.5)
    decoded = decode_image(record)
    assert (decoded.id, decoded.stream, decoded.label, decoded.data) == ("a", "yard", "cat", PIXELS)
    assert dict(decoded.attributes) == {"source": "/camera", "level": "3", "night": "true"}
    assert payload(record) == PIXELS


def test_a_label_and_features_in_structured_mode() -> None:
    kind = (("content-type", STRUCTURED.encode()),)
    text = event(type="prequel.label.v1", data={"id": "a", "label": "cat", "by": "me"})
    label = decode_example(Record(EXAMPLES, 0, 7, b"yard", text, kind, 12.5))
    assert isinstance(label, Label)
    assert (label.id, label.label, label.by) == ("a", "cat", "me")
    text = event(type="prequel.features.v1", data=[1, 2.5], backbone="b", image="0:3")
    features = decode_example(Record(EXAMPLES, 0, 8, b"yard", text, kind, 12.5))
    assert isinstance(features, Features)
    assert features.vector.tolist() == [1, 2.5]


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (STRUCTURED, b"\xff\xd8", "not JSON"),
        (STRUCTURED, b"[]", "not a JSON object"),
        (STRUCTURED, event(), "neither data_base64 nor data"),
        (STRUCTURED, event(data_base64="%%%"), "not base64"),
        ("application/cloudevents-batch+json", b"[]", "one event a record"),
        ("application/cloudevents+avro", b"", "one event a record"),
    ],
)
def test_an_invalid_structured_event_is_rejected_with_the_reason(kind: str, text: bytes, words: str) -> None:
    record = Record(IMAGES, 0, 7, b"pets", text, (("content-type", kind.encode()),), 12.5)
    for decode in (decode_image, decode_example):
        with pytest.raises(Rejected, match=words) as caught:
            decode(record)
        assert caught.value.reason == "malformed"
    assert payload(record) == text


def test_extensions_travel_from_the_image_to_prediction_and_outcome() -> None:
    sent = encode_image(
        "a", "pets", b"x", label=None, time=1.0, source=TRACE["source"], content_type="image/png", attributes=TRACE
    )
    seen = decode_image(written(sent))
    assert seen.attributes == TRACE
    features = decode_example(written(encode_features(seen, np.ones(2, np.float32), "b", source="prequel/extractor")))
    assert isinstance(features, Features)
    assert features.attributes == TRACE
    here = Position(0, 7)
    predicted = Prediction("a", "pets", here, "m", None, {}, {}, None, here, 1.0, False, features.attributes)
    assert decode_prediction_event(written(encode_prediction(predicted, source="prequel/learner"))) == predicted
    outcome = Outcome("a", "pets", here, "learned", "cat", None, None, True, 1.0, features.attributes)
    assert decode_prediction_event(written(encode_outcome(outcome, source="prequel/learner"))) == outcome


def test_defined_attributes_and_our_own_source_do_not_travel() -> None:
    headers = {"ce_id": "a", "ce_backbone": "b", "ce_dim": "9", "ce_damaged": "true", "ce_source": "prequel/gateway"}
    assert not extensions(headers)
    assert image(tuple((name, value.encode()) for name, value in headers.items())).attributes == {}


def test_that_an_image_is_damaged_travels_to_its_prediction() -> None:
    seen = image((("ce_camera", b"north"),))
    extra = (("ce_damaged", b"true"),)
    message = encode_features(seen, np.ones(2, np.float32), "b", source="prequel/extractor", extra=extra)
    features = decode_example(written(message))
    assert isinstance(features, Features)
    assert features.attributes == {"camera": "north", "damaged": "true"}


def test_extensions_are_limited_in_number_and_size() -> None:
    many = {f"ce_a{number}": "x" for number in range(100)}
    assert list(extensions(many)) == [f"a{number}" for number in range(MAX_ATTRIBUTES)]
    assert not extensions({"ce_long": "x" * (MAX_BYTES + 1), "ce_" + "n" * 65: "x", "ce_": "x", "ce_line": "a\nb"})
    assert extensions({"ce_long": "x" * MAX_BYTES}) == {"long": "x" * MAX_BYTES}


def test_a_dead_letter_keeps_the_id_in_any_spelling() -> None:
    record = Record(IMAGES, 0, 7, b"pets", b"", (("CE-Id", b"a"), ("CE-Type", b"other")), 12.5)
    dead_letter = encode_rejected(record, Rejected("x", "y"), source="test", time=1.0)
    ids = [value for name, value in dead_letter.headers if canonical(name) == "ce_id"]
    types = [value for name, value in dead_letter.headers if canonical(name) == "ce_type"]
    assert (ids, types) == ([b"a"], [b"prequel.rejected.v1"])


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["id", "data", "data_base64", "x"]) | st.text(), inner)
        ),
    ).map(lambda each: json.dumps(each).encode())
)
@example(b'{"data_base64":"\\u0080"}')
def test_any_bytes_are_an_event_or_malformed(text: bytes) -> None:
    try:
        parse_structured(text)
    except Malformed as error:
        assert str(error)  # noqa: PT017  # the other outcome is as good


def test_binary_mode_is_left_unchanged() -> None:
    record = Record(IMAGES, 0, 7, None, b"x", (("content-type", b"image/png"),), 12.5)
    assert to_binary_mode(record) is record
