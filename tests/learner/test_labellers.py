"""Who labelled what: counted, restated by corrections, kept in the window and over a snapshot, and bounded."""

from collections import Counter

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from prequel.services.learner.fold.evaluation.labellers import MAX_NAMES, Labellers
from prequel.services.learner.fold.join.new_example import UNLABELLED
from prequel.services.learner.fold.stream import StreamState
from tests.learner.building import ExampleLog, new_fold


def stream_of(examples: ExampleLog) -> StreamState:
    fold = new_fold(examples, models="nearest")
    fold.apply(examples.records)
    return fold.streams["s"]


def test_a_label_counts_for_whoever_gave_the_present_one() -> None:
    examples = ExampleLog()
    for number in range(6):
        examples.features(f"i{number}", [number % 2, 1, 0], "a" if number < 2 else None)
    examples.label("early", "a", by="anna")
    for number in range(2, 5):
        examples.label(f"i{number}", "a", by="anna")
    examples.label("i5", "b", by="")
    examples.features("early", [0, 1, 0])
    assert stream_of(examples).labellers.counts() == {"producer": 2, "anna": 4, "unknown": 1}
    corrected = examples.label("i2", "b", by="bob")
    examples.label("i3", "a", by="bob")
    examples.label("i4", None, by="bob")
    stream = stream_of(examples)
    assert stream.labellers.counts() == {"producer": 2, "anna": 2, "bob": 1, "unknown": 1}
    example = stream.window.find("i2")
    assert example is not None
    assert (stream.labellers.name(example.label_by), example.label_time) == ("bob", 1_000.0 + corrected.offset)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["a", "b", None]), st.sampled_from(["anna", "bob", ""]))))
def test_the_counts_are_what_the_window_says(labels: list[tuple[int, str | None, str]]) -> None:
    examples = ExampleLog()
    for number in range(10):
        examples.features(f"i{number}", [number % 3, 1, 0], "a" if number < 3 else None)
    for number, label, by in labels:
        examples.label(f"i{number}", label, by=by)
    stream = stream_of(examples)
    counted: Counter[str] = Counter()
    for id, _, label_number in stream.window.rows():
        example = stream.window.find(id)
        assert example is not None
        if label_number != UNLABELLED:
            counted[stream.labellers.name(example.label_by)] += 1
    assert stream.labellers.counts() == counted
    assert sum(counted.values()) == stream.labelled


def test_a_name_for_each_label_does_not_fill_the_state() -> None:
    labellers = Labellers()
    for number in range(1_000):
        labellers.count(labellers.number(f"person-{number}"), 1)
    assert len(labellers.counts()) < MAX_NAMES
    assert labellers.counts()["other"] > 800
    restored = Labellers.from_rows(orjson.loads(orjson.dumps(labellers.rows())))
    assert restored.rows() == labellers.rows()
    assert restored.number("person-5") == labellers.number("person-5")
