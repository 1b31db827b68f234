"""Streams that begin, wait and end: however records are cut, stored, moved and erased, the state is the same."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prequel.services.learner.erasure.redaction import redacted
from prequel.services.learner.fold.commands import MAX_COMMANDS, MAX_DELETIONS, Deletion
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.relocation import relocate
from prequel.shared.events.dead_letters import encode_rejected
from prequel.shared.events.features import encode_features
from prequel.shared.events.labels import encode_label
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Applied, Image, Outcome, Prediction, Rejected
from prequel.shared.log.base import EXAMPLES, Message, Position, Record
from prequel.shared.log.partitioner import partition_for
from tests.learner.building import BACKBONE, DIM, ExampleLog, Registry, new_fold
from tests.learner.test_fold import cut, stored_and_read
from tests.learner.test_settings import same_model

SMALL: dict[str, Any] = {"models": "nearest", "window": 4, "max_streams": 2, "max_labels": 3, "max_waiting": 2}

_streams, _ids = st.sampled_from("abc"), st.sampled_from(["i0", "i1", "i2", "i3"])
_labels = st.sampled_from(["x", "y"])
_events = st.one_of(
    st.tuples(st.just("features"), _streams, _ids, st.none() | _labels),
    st.tuples(st.just("label"), _streams, _ids, st.none() | _labels),
    st.tuples(st.just("create"), _streams, _ids, st.none() | st.sampled_from([BACKBONE, "test", "other"])),
    st.tuples(st.just("delete"), _streams, _ids, st.integers(0, 3)),
)
_histories = st.lists(_events, max_size=40)


def written(history: Sequence[tuple[Any, ...]], log: ExampleLog | None = None) -> ExampleLog:
    log = log or ExampleLog()
    for kind, stream, id, more in history:
        if kind == "features":
            log.features(id, [1, 0, len(log.records)], more, stream=stream)
        elif kind == "label":
            log.label(id, more, stream=stream)
        elif kind == "create":
            log.command(id, "stream.create", stream=stream, backbone=more)
        else:
            log.delete(id, stream=stream, late=more)
    return log


@settings(max_examples=150, deadline=None)
@given(_histories, st.lists(st.integers(1, 9), max_size=12), st.integers(0, 40))
def test_batches_and_restarts_do_not_change_the_state(
    history: list[tuple[Any, ...]], sizes: list[int], at: int
) -> None:
    log = written(history)
    whole, pieces, first = (new_fold(log, **SMALL) for _ in range(3))
    expected = whole.apply(log.records)
    actual = [output for piece in cut(log.records, sizes) for output in pieces.apply(piece).outputs]
    assert (pieces.digest(), actual) == (whole.digest(), expected.outputs)
    begun = first.apply(log.records[:at]).outputs
    again = stored_and_read(first)
    assert again.digest() == first.digest()
    assert begun + again.apply(log.records[at:]).outputs == expected.outputs
    assert again.digest() == whole.digest()


_IMAGE = ("features", "a", "i3", "y")
_ADOPTED = [("label", "a", "i0", "x"), ("features", "a", "i0", None)]
_NO_ROOM_AT_FIRST = [
    ("create", "b", "i0", None),
    ("create", "c", "i0", None),
    ("features", "a", "i0", "x"),
    ("delete", "b", "i1", 0),
    ("features", "a", "i0", "y"),
]
_LATE = [
    ("features", "a", "i0", "x"),
    ("delete", "a", "i0", 2),
    ("create", "a", "i1", None),
    ("features", "a", "i1", "x"),
    ("features", "a", "i2", "x"),
]


@settings(max_examples=100, deadline=None)
@given(_histories, _histories)
@example(_ADOPTED, [_IMAGE])
@example(_NO_ROOM_AT_FIRST, [_IMAGE])
@example(_LATE, [_IMAGE])
def test_a_model_added_later_learns_what_a_stream_learned_since_it_began(before: list[Any], after: list[Any]) -> None:
    """Labels that had waited for it too, and nothing of another stream of its name that was deleted."""
    log = written(before)
    log.defaults(models="nearest,ncm")
    written(after, log)
    actual, expected = new_fold(log, **SMALL), new_fold(log, **SMALL | {"models": "nearest,ncm"})
    for fold in (actual, expected):
        fold.apply(log.records)
    assert actual.streams.keys() == expected.streams.keys()
    for model in range(2):
        same_model(actual, model, expected, model)


def erased(log: ExampleLog, fold: Fold) -> ExampleLog:
    """The log after all records of the streams that the fold deleted were erased."""
    left = ExampleLog()
    deletions: list[Deletion] = fold.apply(log.records).deletions
    for record in log.records:
        for deletion in deletions:
            if (remains := redacted(record, deletion)) is not None:
                record = record._replace(headers=remains.headers, value=remains.value)
        left.records.append(record)
    return left


@settings(max_examples=300, deadline=None)
@given(_histories, st.integers(0, 40))
def test_a_log_with_an_erased_stream_folds_to_the_same_state(history: list[tuple[Any, ...]], at: int) -> None:
    log, whole, older = written(history), new_fold(ExampleLog(), **SMALL), new_fold(ExampleLog(), **SMALL)
    whole.cache._log = older.cache._log = log  # type: ignore[assignment]  # which it reads features back from
    left = erased(log, whole)
    again = new_fold(left, **SMALL)
    again.apply(left.records)
    assert again.digest() == whole.digest()
    older.apply(log.records[:at])  # A snapshot from before the erasure, and the rest from after it.
    older.cache._log = left  # type: ignore[assignment]
    older.apply(left.records[at:])
    assert older.digest() == whole.digest()


def test_erased_features_of_a_backbone_that_was_not_chosen_take_no_room() -> None:
    """As the features themselves did not, which were rejected."""
    log = written([("create", "a", "i0", "other"), ("features", "a", "i0", None), ("features", "b", "i0", None)])
    log.delete("d", stream="a")
    whole, again = (new_fold(ExampleLog(), models="slda", max_model_bytes=2**20) for _ in range(2))
    for fold in (whole, again):
        fold.capacity._initial_bytes[DIM] = 2**20  # As if each stream's model were that large.
    again.apply(erased(log, whole).records)
    assert list(whole.streams) == ["b"]
    assert again.digest() == whole.digest()


def test_labels_for_missing_streams_create_none_and_take_no_room_from_existing_ones() -> None:
    log = ExampleLog()
    for number in range(300):
        log.label("i", "cat", stream=f"typo{number}")
    log.features("i0", [1, 0, 0], stream="pets")
    log.label("i0", "cat", stream="pets")
    fold = new_fold(log, max_waiting=100)
    result = fold.apply(log.records)
    assert list(fold.streams) == ["pets"]
    assert [e.event.status for e in result.outputs if isinstance(e.event, Outcome)] == ["waiting"] * 100 + ["learned"]
    assert {(error.reason, record.key) for record, error in result.rejected} == {
        ("unknown-stream", f"typo{number}".encode()) for number in range(100, 300)
    }
    assert len(fold.orphan_labels) == 100


def test_orphan_labels_older_than_the_window_expire_when_room_is_needed() -> None:
    log = ExampleLog()
    log.label("i", "old", stream="typo0")
    log.label("i", "newer", stream="typo0")
    for number in range(4):
        log.features(f"i{number}", [1, 0, 0], stream="pets")
    log.label("i", "cat", stream="typo1")
    fold = new_fold(log, max_waiting=1, window=4)
    outcomes = [e.event for e in fold.apply(log.records).outputs if isinstance(e.event, Outcome)]
    assert [(each.stream, each.status, each.label) for each in outcomes[2:]] == [
        ("typo0", "expired", "newer"),
        ("typo1", "waiting", "cat"),
    ]


@pytest.mark.parametrize("begin", ["features", "create"])
def test_a_new_stream_adopts_its_orphan_labels(begin: str) -> None:
    log = ExampleLog()
    log.label("i0", "cat")
    log.label("i0", "dog", stream="other")
    if begin == "create":
        log.command("c", "stream.create")
    log.features("i0", [1, 0, 0])
    fold = new_fold(log)
    outcomes = [e.event.status for e in fold.apply(log.records).outputs if isinstance(e.event, Outcome)]
    assert outcomes == ["waiting", "waiting", "learned"]
    assert (fold.streams["s"].labels, len(fold.orphan_labels)) == (["cat"], 1)


def test_a_deleted_stream_frees_its_place_and_its_late_images_do_not_bring_it_back() -> None:
    log = ExampleLog()
    log.features("i0", [1, 0, 0], "cat")
    log.features("o0", [1, 0, 0], stream="other")
    log.delete("c")
    log.features("o1", [1, 0, 0], stream="other")
    log.features("i1", [1, 0, 0])
    fold = new_fold(log, max_streams=1, models="nearest")
    result = fold.apply(log.records)
    assert [(r.offset, e.reason) for r, e in result.rejected] == [(1, "too-many-streams"), (4, "too-many-streams")]
    assert list(fold.streams) == ["other"]
    late = ExampleLog()
    late.features("i0", [1, 0, 0], "cat")
    late.delete("c", late=1)
    late.features("i1", [1, 0, 0])
    late.features("i2", [1, 0, 0])
    fold = new_fold(late)
    assert [(r.offset, e.reason) for r, e in fold.apply(late.records).rejected] == [(2, "stream-deleted")]
    assert (fold.streams["s"].images, fold.streams["s"].labels) == (1, [])


def test_a_stream_that_is_deleted_while_its_first_image_is_on_its_way_does_not_begin_with_it() -> None:
    log = ExampleLog()
    log.delete("c", late=1)
    log.features("i0", [1, 0, 0], "cat")
    fold = new_fold(log)
    result = fold.apply(log.records)
    assert [e.event.status for e in result.outputs if isinstance(e.event, Applied)] == ["applied"]
    assert [(r.offset, e.reason) for r, e in result.rejected] == [(1, "stream-deleted")]
    assert fold.streams == {}


def test_a_deletion_without_images_still_covers_those_of_an_earlier_deletion() -> None:
    log = ExampleLog()
    log.features("i0", [1, 0, 0], "cat")
    log.delete("c", late=3)
    log.command("again", "stream.create")
    log.command("kcat", "stream.delete")
    log.features("i1", [1, 0, 0], "cat")
    fold = new_fold(log)
    result = fold.apply(log.records)
    assert [e.event.status for e in result.outputs if isinstance(e.event, Applied)] == ["applied"] * 3
    assert [(r.offset, e.reason) for r, e in result.rejected] == [(4, "stream-deleted")]
    assert fold.streams == {}
    assert all(deletion.covers(Position(0, 4)) for deletion in result.deletions), "what is erased is as much"


def test_a_command_that_is_sent_again_counts_once() -> None:
    log = ExampleLog()
    log.features("i0", [1, 0, 0])
    log.delete("c")
    log.features("i1", [1, 0, 0])
    log.delete("c")
    fold = new_fold(log)
    answers = [e.event for e in fold.apply(log.records).outputs if isinstance(e.event, Applied)]
    assert [(each.status, each.position.offset) for each in answers] == [("applied", 1), ("unchanged", 3)]
    assert fold.streams["s"].images == 1


def test_an_impossible_command_is_refused_with_the_reason() -> None:
    log = ExampleLog()
    log.command("nothing", "stream.delete")
    log.command("first", "stream.create")
    log.command("second", "stream.create")
    log.command("odd", "stream.delete", images=[1])
    log.command("later", "class.rename", to="x")
    log.command("third", "stream.create", stream="other")
    answers = [e.event for e in new_fold(log, max_streams=1).apply(log.records).outputs if isinstance(e.event, Applied)]
    assert [(each.id, each.status) for each in answers] == [
        ("nothing", "refused"),
        ("first", "applied"),
        ("second", "refused"),
        ("odd", "refused"),
        ("later", "refused"),
        ("third", "refused"),
    ]
    assert [each.why for each in answers if not each.why] == [""]
    assert "PREQUEL_MAX_STREAMS" in answers[-1].why


def test_a_stream_learns_from_the_backbone_that_was_chosen_for_it() -> None:
    log = ExampleLog()
    log.command("c", "stream.create", backbone="other-avg")
    log.features("i0", [1, 0, 0], "cat")
    log.command("c", "stream.create", stream="t", backbone="test")
    log.features("i0", [1, 0, 0], "cat", stream="t")
    log.command("again", "stream.create", stream="t", backbone="other")
    fold = new_fold(log)
    result = fold.apply(log.records)
    assert [(record.offset, str(error)) for record, error in result.rejected] == [
        (1, "wrong-backbone: stream s is to learn from other-avg, not from test-3")
    ]
    streams = {name: (stream.backbone, stream.dim, stream.images) for name, stream in fold.streams.items()}
    assert streams == {"s": ("other-avg", 0, 0), "t": (BACKBONE, DIM, 1)}
    assert stored_and_read(fold).digest() == fold.digest()
    plain = ExampleLog()
    plain.command("c", "stream.create")
    chosen = new_fold(plain)
    chosen.apply(plain.records)
    before = chosen.digest()
    chosen.streams["s"].backbone = "other"
    assert chosen.digest() != before, "what was chosen is a part of the state"


@pytest.mark.parametrize("backbone", [7, ["compact"], "Mobile Net", "mobilenetv2-224", "a-", "-a", "a-b-0", "x" * 301])
def test_what_is_no_backbone_is_refused(backbone: object) -> None:
    log = ExampleLog()
    log.command("c", "stream.create", backbone=backbone)
    fold = new_fold(log)
    (answer,) = [output.event for output in fold.apply(log.records).outputs]
    assert isinstance(answer, Applied)
    assert (answer.status, fold.streams) == ("refused", {})
    assert "field backbone must be a name (mobilenetv2)" in answer.why


def test_the_command_history_is_bounded() -> None:
    log = ExampleLog()
    for number in range(max(MAX_COMMANDS, MAX_DELETIONS) + 5):
        log.command(f"c{number}", "stream.create", stream=f"s{number}")
        log.delete(f"d{number}", stream=f"s{number}")
    fold = new_fold(log)
    fold.apply(log.records)
    numbers = fold.commands.numbers()
    assert (len(numbers["given"]), len(numbers["deletions"])) == (MAX_COMMANDS, MAX_DELETIONS)


# Records of other partitions.

NAMES = ["a", "b", "c", "d", "e", "f"]


def fold_of(partition: int, partitions: int) -> Fold:
    fold = new_fold(ExampleLog(), **SMALL | {"max_streams": 10})
    return Fold(fold.config, Registry(), fold.cache, position=0, partitions=partitions)


def placed(message: Message, partition: int, offset: int) -> Record:
    return Record(EXAMPLES, partition, offset, message.key, message.value, message.headers, 1_000.0)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(NAMES), st.integers(0, 3), _labels), max_size=30),
    st.data(),
)
def test_misplaced_records_reach_their_own_partition_exactly_once(
    history: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """Each partition is folded, and a learner that crashes moves again what it moved before, in the log's order."""
    logs: list[list[Record]] = [[], [], []]

    def append(partition: int, message: Message) -> None:
        logs[partition].append(placed(message, partition, len(logs[partition])))

    for partition, stream, number, label in history:
        image = Image(f"i{number}", stream, label, 1_000.0, b"", Position(0, 0))
        append(partition, encode_features(image, np.ones(3, np.float32), BACKBONE, source="test"))
    sent = [list(log) for log in logs]
    for partition, records in enumerate(sent):
        reached = 0
        for stop in [*data.draw(st.lists(st.integers(0, len(records)), max_size=3)), len(records)]:
            begin = data.draw(st.integers(0, reached))
            fold, reached = fold_of(partition, 3), max(reached, stop)
            for record in fold.apply(records[begin:stop]).misplaced:
                append(partition_for(record.key or b"", 3), relocate(record))
    folds = [fold_of(partition, 3) for partition in range(3)]
    for fold, log in zip(folds, logs, strict=True):
        halfway = data.draw(st.integers(0, len(log)))
        fold.apply(log[:halfway])
        assert not any(was_moved(record) for record in fold.apply(log[halfway:]).misplaced)
    for partition, fold in enumerate(folds):
        assert all(partition_for(name.encode(), 3) == partition for name in fold.streams)
        for name, state in fold.streams.items():
            assert state.images == len({number for _, stream, number, _ in history if stream == name})


def was_moved(record: Record) -> bool:
    return any(name == "ce_moved" for name, _ in record.headers)


def test_a_copy_of_a_relocated_label_does_not_undo_a_later_one() -> None:
    stream = next(name for name in NAMES if partition_for(name.encode(), 2) == 0)
    image = Image("i0", stream, None, 1_000.0, b"", Position(0, 0))
    features = encode_features(image, np.ones(3, np.float32), BACKBONE, source="test")
    labels = [
        placed(encode_label(stream, "i0", label, by="me", time=0, event_id=f"e{n}", source="s"), 1, n)
        for n, label in enumerate(["cat", "dog"])
    ]
    replayed = [features, *map(relocate, labels), *map(relocate, labels)]
    log = [placed(message, 0, offset) for offset, message in enumerate(replayed)]
    fold = fold_of(0, 2)
    fold.cache._log = ExampleLog()  # type: ignore[assignment]
    result = fold.apply(log)
    assert [e.event.status for e in result.outputs if isinstance(e.event, Outcome)] == ["learned", "corrected"]
    assert (result.duplicates, result.misplaced) == (2, [])


def test_every_record_of_a_deleted_stream_is_recognised() -> None:
    """In every topic; what came after the deletion, and what is of other streams, stays."""
    deletion = Deletion("s", Position(0, 10), {0: 5})
    image, later = Image("i", "s", None, 0.0, b"x", Position(0, 4)), Image("i", "s", None, 0.0, b"x", Position(0, 5))

    def prediction(offset: int, stream: str = "s") -> Message:
        return encode_prediction(
            Prediction("i", stream, Position(0, offset), "m", None, {}, {}, None, Position(0, 0), 0.0), source="t"
        )

    def outcome(offset: int) -> Message:
        event = Outcome("i", "s", Position(0, offset), "learned", "cat", None, None, exact=True, time=0.0)
        return encode_outcome(event, source="t")

    def letter(message: Message, offset: int) -> Message:
        return encode_rejected(placed(message, 0, offset), Rejected("r", "d"), source="t", time=0.0)

    vector = np.ones(3, np.float32)
    cases = [
        (encode_features(image, vector, "b", source="t"), 12, True),
        (encode_features(later, vector, "b", source="t"), 12, False),
        (prediction(9), 100, True),
        (prediction(10), 100, False),
        (prediction(9, "other"), 100, False),
        (outcome(9), 100, True),
        (outcome(11), 100, False),
        (letter(encode_features(image, vector, "b", source="t"), 12), 100, True),
        (letter(encode_features(later, vector, "b", source="t"), 12), 100, False),
        (letter(encode_label("s", "i", "cat", by="me", time=0, event_id="e", source="s"), 9), 100, True),
        (letter(encode_label("s", "i", "cat", by="me", time=0, event_id="e", source="s"), 11), 100, False),
        (letter(encode_label("o", "i", "cat", by="me", time=0, event_id="e", source="s"), 9), 100, False),
    ]
    for message, offset, deleted in cases:
        record = placed(message, 0, offset)._replace(topic=message.topic)
        assert (redacted(record, deletion) is not None) is deleted, message
