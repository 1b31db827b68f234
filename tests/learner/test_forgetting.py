"""Forgotten images: the state is that of a log without them, and stays so when their records are erased."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prequel.services.learner.erasure.redaction import redacted
from prequel.services.learner.fold.decisions.forgetting import forgettings
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.partition_parts import unsigned_part
from prequel.services.learner.publishing.stream_commands import stream_commands
from prequel.services.learner.snapshots.blobs import unpack
from prequel.shared.events.features import encode_features
from prequel.shared.events.names import id_digest, id_hashes
from prequel.shared.events.types import Applied, Image
from prequel.shared.log.base import Position, Record
from tests.learner.building import BACKBONE, DIM, ExampleLog, new_fold
from tests.learner.test_fold import cut, stored_and_read

SMALL: dict[str, Any] = {"models": "nearest,logistic", "window": 5, "duplicates": 50, "max_waiting": 3}

_ids, _labels = st.sampled_from(["i0", "i1", "i2", "i3"]), st.none() | st.sampled_from(["x", "y"])
_events = st.one_of(
    st.tuples(st.sampled_from(["features", "label"]), st.sampled_from(["s", "t"]), _ids, _labels),
    st.tuples(st.just("late"), st.just("s"), _ids, _labels),
)
_histories = st.lists(_events, max_size=25)


class History:
    """A log, and what it would be without what is forgotten: there, another stream's records are in its place."""

    def __init__(self) -> None:
        self.log, self.without = ExampleLog(), ExampleLog()
        self._forgotten: set[str] = set()

    def write(self, events: Sequence[tuple[Any, ...]]) -> None:
        for kind, stream, id, label in events:
            if kind == "late":  # Of an image from before everything.
                image = Image(id, stream, label, 0.0, b"", Position(0, 0))
                record = self.log.append(
                    encode_features(image, np.full(DIM, len(self.log.records), np.float32), BACKBONE, source="t")
                )
            elif kind == "features":
                record = self.log.features(id, [1, 0, len(self.log.records)], label, stream=stream)
            else:
                record = self.log.label(id, label, stream=stream)
            if kind == "late" and id in self._forgotten:
                self.fill()
            else:
                self.without.append_record(record)

    def forget(self, ids: Sequence[str]) -> Record:
        at = len(self.log.records)
        command = self.log.command("f", "example.forget", ids=list(ids), images={"0": at})
        self._forgotten = set(ids)
        kept, self.without = self.without.records, ExampleLog()
        for record in kept:
            of_forgotten = record.key == b"s" and dict(record.headers)["ce_id"].decode() in ids
            if of_forgotten or _label_of(record, ids):
                self.fill()
            else:
                self.without.append_record(record)
        self.fill()
        return command

    def catch_up(self, fold: Fold) -> Record:
        given = fold.streams["s"].decisions.given
        record = self.log.command("c", "stream.catch-up", given=given, settings=len(fold.history), begin=0)
        self.fill()
        return record

    def fill(self) -> None:
        """One more record that is not the stream's, so that offsets stay the same."""
        self.without.label("x", "x", stream="nobody")


def _label_of(record: Record, ids: Sequence[str]) -> bool:
    return record.key == b"s" and any(f'"id":"{id}"'.encode() in record.value for id in ids)


def parts(fold: Fold) -> tuple[dict[str, str], dict[str, Any]]:
    """Everything of the stream but its decisions: digests of the parts, and the numbers of the head."""
    own = dict(fold.parts(unsigned_part)["s"])
    head, _ = unpack(own.pop("head").body)
    for name in ("parts", *(name for name in head if "decision" in name or name in ("given", "caught_up"))):
        head.pop(name, None)
    return {name: part.digest for name, part in own.items()}, head


def erased(log: ExampleLog, fold: Fold) -> ExampleLog:
    """The log after the records of everything that the fold's stream has forgotten were erased."""
    left = ExampleLog()
    for record in log.records:
        for each in forgettings(fold.streams["s"]):
            assert each.caught_up
            if (remains := redacted(record, each.forgotten)) is not None:
                record = record._replace(headers=remains.headers, value=remains.value)
        left.records.append(record)
    return left


def forgotten(before: list[Any], ids: Sequence[str], between: list[Any], after: list[Any]) -> tuple[History, Fold]:
    """A history in which the ids are forgotten, and the fold of it."""
    history = History()
    history.write([("features", "s", "kept", "x"), *[("features", "s", id, "y") for id in ids], *before])
    history.forget(ids)
    history.write(between)
    fold = new_fold(history.log, **SMALL)
    results = fold.apply(history.log.records).outputs
    (applied,) = [output.event for output in results if isinstance(output.event, Applied)]
    assert (applied.status, applied.catching_up) == ("applied", True), applied.why
    at = len(history.log.records)
    history.catch_up(fold)
    history.write(after)
    fold.apply(history.log.records[at:])
    return history, fold


@settings(max_examples=100, deadline=None)
@given(_histories, st.lists(_ids, min_size=1, max_size=3, unique=True), _histories, _histories)
@example([], ["i1"], [("late", "s", "i1", "x"), ("features", "s", "i1", "y")], [("label", "s", "i1", "x")])
@example([("label", "s", "i1", "x")], ["i0"], [], [("late", "s", "i0", None), ("late", "s", "i2", None)])
def test_the_state_is_that_of_a_log_without_them(
    before: list[Any], ids: list[str], between: list[Any], after: list[Any]
) -> None:
    history, fold = forgotten(before, ids, between, after)
    without = new_fold(history.without, **SMALL)
    without.apply(history.without.records)
    assert parts(fold) == parts(without)


@settings(max_examples=100, deadline=None)
@given(
    _histories,
    st.lists(_ids, min_size=1, max_size=3, unique=True),
    _histories,
    _histories,
    st.lists(st.integers(1, 9), max_size=12),
)
@example([], ["i1"], [("late", "s", "i1", "x")], [("late", "s", "i1", "x"), ("label", "s", "i1", "x")], [])
def test_a_log_with_erased_images_folds_to_the_same_state(
    before: list[Any], ids: list[str], between: list[Any], after: list[Any], sizes: list[int]
) -> None:
    history, fold = forgotten(before, ids, between, after)
    left = erased(history.log, fold)
    again = new_fold(left, **SMALL)
    for piece in cut(left.records, sizes):
        again.apply(piece)
    assert again.digest() == fold.digest()
    assert stored_and_read(again).digest() == fold.digest()
    for id in ids:
        assert f'"{id}"'.encode() not in left.records[_command(left)].value


def _command(log: ExampleLog) -> int:
    return next(at for at, record in enumerate(log.records) if b"example.forget" in record.value)


def test_nothing_in_the_state_has_the_id() -> None:
    """Nor has a refusal, which stays in the history."""
    history = History()
    history.write([("features", "s", "kept", "x"), ("features", "s", "number-plate", "y")])
    history.forget(["number-plate"])
    history.log.command("g", "example.forget", ids=["kept", "another-plate"])
    fold = new_fold(history.log, **SMALL)
    results = [output.event for output in fold.apply(history.log.records).outputs]
    assert [(event.status, event.why) for event in results if isinstance(event, Applied)] == [
        ("applied", ""),
        ("refused", "the stream knows no image with the id that is number 2 of ids"),
    ]
    fold.apply([history.catch_up(fold)])
    state = b"".join(part.body for own in fold.parts(unsigned_part).values() for part in own.values())
    assert (b"number-plate" in state, b"another-plate" in state, b"kept" in state) == (False, False, True)
    assert id_digest("number-plate").encode() in state


def test_late_features_are_a_dead_letter_that_says_so_and_names_nobody() -> None:
    history, fold = forgotten([], ["i1"], [], [])
    at = len(history.log.records)
    history.write([("late", "s", "i1", "x"), ("features", "s", "i1", "y")])
    result = fold.apply(history.log.records[at:])
    assert [(record.offset, why.reason, "i1" in why.detail) for record, why in result.rejected] == [
        (at, "forgotten", False)
    ]
    assert [removal.position for removal in result.late] == [Position(0, _command(history.log))]
    assert "i1" in fold.streams["s"].window, "an image that was sent afterwards is a new one"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"ids": []}, "1 to 1000"),
        ({"ids": "i0"}, "1 to 1000"),
        ({"digests": []}, "1 to 1000"),
        ({"digests": ["i0"]}, "1 to 1000"),
        ({"ids": ["i0", "a b"]}, "number 2 of ids is not an id"),
        ({"ids": ["i0", "i9"]}, "number 2 of ids"),
        ({"ids": ["i0"], "images": {"x": 1}}, "field images"),
        ({"hashed": []}, "1 to 1000"),
        ({"hashed": "i0"}, "1 to 1000"),
        ({"hashed": [id_hashes("i0"), id_digest("i0")]}, "1 to 1000"),
        ({"hashed": [id_hashes("i0"), {}]}, "1 to 1000"),
        ({"hashed": [id_hashes("i0"), id_hashes("i9")]}, "the stream knows no image with the id that is number 2 of"),
    ],
)
def test_what_is_refused_changes_nothing(arguments: dict[str, Any], why: str) -> None:
    log = ExampleLog()
    log.features("i0", [1, 0, 0], "x")
    log.command("f", "example.forget", **arguments)
    fold = new_fold(log, **SMALL)
    (result,) = [output.event for output in fold.apply(log.records).outputs if isinstance(output.event, Applied)]
    assert (result.status, why in result.why) == ("refused", True), result.why
    assert (fold.streams["s"].decisions.pending, fold.streams["s"].images) == (False, 1)


@pytest.mark.parametrize(
    ("id", "status"), [("i8", "applied"), ("i5", "applied"), ("late", "applied"), ("x", "refused")]
)
def test_hashes_of_an_id_say_as_much_as_the_id(id: str, status: str) -> None:
    """Of an image in the window, of one that has left it, of a label that waits, of none."""
    states, commands = [], list[dict[str, Any]]([{"ids": [id]}, {"hashed": [id_hashes(id)]}])
    for arguments in commands:
        log = ExampleLog()
        for number in range(9):
            log.features(f"i{number}", [1, 0, number], "x")
        log.label("late", "x")
        command = log.command("f", "example.forget", **arguments)
        fold = new_fold(log, models="nearest", window=2, duplicates=20)
        results = [each.event for each in fold.apply(log.records).outputs if isinstance(each.event, Applied)]
        assert [result.status for result in results] == [status]
        states.append((fold.digest(), results, [each.forgotten for each in forgettings(fold.streams["s"])]))
    assert states[0] == states[1]
    if status == "applied":
        remains = redacted(command, states[1][2][0])
        assert remains is not None
        log.records[-1] = command._replace(value=remains.value)
        again = new_fold(log, models="nearest", window=2, duplicates=20)
        again.apply(log.records)
        assert again.digest() == states[1][0]
        assert b"hashed" not in remains.value


def test_an_image_that_is_older_than_what_is_remembered_can_be_forgotten_too() -> None:
    log = ExampleLog()
    for number in range(9):
        log.features(f"i{number}", [1, 0, number], "x")
    log.command("f", "example.forget", ids=["i0"])
    fold = new_fold(log, models="nearest", window=2, duplicates=3)
    fold.apply(log.records)
    history = History()
    history.log = log
    fold.apply([history.catch_up(fold)])
    assert fold.streams["s"].images == 8


def test_the_history_says_how_many_and_not_which() -> None:
    _, fold = forgotten([], ["i1", "i2"], [], [])
    (newest, *_) = [entry for entry in stream_commands(fold.streams["s"].decisions) if entry.do == "example.forget"]
    assert (newest.arguments, newest.status, newest.undoable) == ({"images": 2}, "applied", False)


@pytest.mark.parametrize("ids", [[1, None], ["else"], 5, {"a": 1}])
def test_a_command_with_digests_is_what_they_say_whatever_stands_beside_them(ids: object) -> None:
    log = ExampleLog()
    log.features("i0", [1, 0, 0], "x")
    command = log.command("f", "example.forget", ids=ids, digests=[id_digest("i0")])
    fold = new_fold(log)
    fold.apply(log.records)
    (forgotten,) = forgettings(fold.streams["s"])
    remains = redacted(command, forgotten.forgotten)
    assert remains is not None
    assert forgotten.forgotten.ids == {id_digest("i0")}
    log.records[-1] = command._replace(value=remains.value)
    again = new_fold(log)
    again.apply(log.records)
    assert again.digest() == fold.digest()
    assert b"ids" not in remains.value
