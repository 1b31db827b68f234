"""Names of streams, ids and labels: which are valid, and that a label has one spelling."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.shared.events.decoding import decode_example
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image, encode_image
from prequel.shared.events.labels import encode_label
from prequel.shared.events.names import normal_label, valid_id, valid_label, valid_stream
from prequel.shared.events.types import (
    Features,
    Label,
)
from tests.shared.events import recorded


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
