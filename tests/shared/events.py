"""Building blocks of the tests of events: strategies for their fields, records as the log has them, the decoders."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from prequel.shared.events.commands import applied_json, encode_applied
from prequel.shared.events.decoding import decode_example, decode_prediction_event
from prequel.shared.events.drifts import drift_json, encode_drift
from prequel.shared.events.images import decode_image
from prequel.shared.events.names import normal_label, valid_label
from prequel.shared.events.outcomes import encode_outcome, outcome_json
from prequel.shared.events.predictions import encode_prediction, prediction_json
from prequel.shared.events.types import Applied, Outcome, Prediction, PredictionEvent
from prequel.shared.log.base import IMAGES, Headers, Message, Position, Record
from prequel.shared.vectors import MAX_VALUE

# What events are made of. Times are whole milliseconds, as they are written.

streams = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True)
ids = st.from_regex(r"[A-Za-z0-9._:-]{1,128}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=128)
labels = texts.map(normal_label).filter(valid_label)
reasons = st.just("") | st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True)
times = st.integers(-62_135_596_800_000, 253_402_300_799_000).map(lambda milliseconds: milliseconds / 1000)
positions = st.builds(Position, st.integers(0, 1000), st.integers(0, 2**62))
LARGEST = float(np.float32(MAX_VALUE))
values = st.floats(-LARGEST, LARGEST, width=32)
vectors = st.lists(values, min_size=1, max_size=40).map(lambda row: np.array(row, np.float32))
backbones = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
shares = st.dictionaries(labels, st.floats(0, 1), max_size=10)

DECODERS: list[Callable[[Record], object]] = [decode_image, decode_example, decode_prediction_event]


def close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=0, abs_tol=0.0011)


HERE = Position(3, 14)


def recorded(message: Message, position: Position = HERE) -> Record:
    partition, offset = position
    return Record(message.topic, partition, offset, message.key, message.value, message.headers, 1e9)


def bare(key: bytes | None, headers: Headers = (), value: bytes = b"x") -> Record:
    return Record(IMAGES, 2, 7, key, value, headers, 12.5)


def published(event: PredictionEvent) -> tuple[Message, dict[str, Any]]:
    """An event of the topic ``predictions``, encoded, and its JSON form."""
    if isinstance(event, Prediction):
        return encode_prediction(event, source="test"), prediction_json(event)
    if isinstance(event, Outcome):
        return encode_outcome(event, source="test"), outcome_json(event)
    if isinstance(event, Applied):
        forgotten = {"forgotten": list(event.forgotten)} if event.forgotten else {}  # Not over HTTP.
        return encode_applied(event, source="test"), applied_json(event) | forgotten
    return encode_drift(event, source="test"), drift_json(event)
