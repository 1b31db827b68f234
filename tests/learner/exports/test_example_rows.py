"""Rows of an export: whatever people decided, they are the examples and labels that the stream has."""

from typing import Any

from hypothesis import given, settings

from prequel.services.learner.exports.current_stream import CurrentStream
from prequel.services.learner.exports.example_row import ExampleRow
from prequel.services.learner.exports.example_rows import example_rows
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.replay.plan import plan_of
from tests.learner.building import ExampleLog, as_log, new_fold
from tests.learner.life.history import Life, histories


def rows_of(life: Life, stream: str = "s") -> list[ExampleRow]:
    fold, log = life.fold, life.log
    state = fold.streams[stream]
    current = CurrentStream(state, plan_of(fold, state, 0), as_log(log), fold.cache, log.begin, len(log.records))
    return [row for rows in example_rows(current) for row in rows]


def window_of(state: StreamState) -> list[tuple[Any, ...]]:
    return [(id, position, state.name_of(label)) for id, position, label in state.window.rows()]


def check(life: Life, stream: str) -> None:
    state, rows = life.fold.streams[stream], rows_of(life, stream)
    assert len(rows) == state.images
    assert sum(row.label is not None for row in rows) == state.labelled
    shown = [(row.id, row.position, row.label) for row in rows]
    window = window_of(state)
    assert shown[len(shown) - len(window) :] == window


@settings(max_examples=60, deadline=None)
@given(histories)
def test_the_rows_are_the_examples_that_the_stream_has(history: list[tuple[Any, ...]]) -> None:
    life = Life().live(history)
    for name in list(life.fold.streams):
        life.catch_up(name)
    for name, state in life.fold.streams.items():
        if not state.decisions.pending:
            check(life, name)


def test_who_gave_a_label_is_who_gave_the_one_that_it_has() -> None:
    life = Life(window=50)
    life.log.label("early", "a", by="ann", why="random")
    for id, label in [("early", None), ("own", "a"), ("late", None), ("wrong", "b"), ("taken", "b"), ("none", None)]:
        life.log.features(id, [1, 0, 0], label)
    life.log.label("late", "b", by="bob", why="uncertain")
    life.log.label("wrong", "a", by="cy")
    life.log.label("wrong", "a", by="who says the same")
    life.log.label("taken", None, by="dan")
    life.fold = new_fold(life.log, **life.settings)
    life.fold.apply(life.log.records)
    assert [(row.id, row.label, row.by, row.why, row.labelled_at) for row in rows_of(life)] == [
        ("early", "a", "ann", "random", 1_000.0),
        ("own", "a", "producer", "producer", 1_002.0),
        ("late", "b", "bob", "uncertain", 1_007.0),
        ("wrong", "a", "cy", "", 1_008.0),
        ("taken", None, "", "", 0.0),
        ("none", None, "", "", 0.0),
    ]


def test_where_models_were_rebuilt_the_label_is_still_that_of_who_corrected_it() -> None:
    life = Life(window=50, max_labels=2)
    life.do("features", "s", "own", [1, 0, 0], "a")
    life.do("features", "s", "late", [1, 0, 0], None)
    life.log.label("own", "b", by="ann", why="correction")
    life.log.label("late", "b", by="bob")
    life.log.label("late", None, by="cy")
    life.fold.apply(life.log.records[2:])
    life.command("models.rebuild")
    life.catch_up()
    # There is room for it now that `own` was never of class a.
    life.do("label", "s", "late", "c")
    assert [(row.id, row.label, row.by, row.why) for row in rows_of(life)] == [
        ("own", "b", "ann", "correction"),
        ("late", "c", "test", ""),
    ]


def test_memory_holds_a_window_of_rows_and_each_comes_once_it_has_left_that() -> None:
    life = Life(window=10)
    for number in range(200):
        life.log.features(f"i{number}", [1, number, 0], "ab"[number % 2])
    life.fold.apply(life.log.records)
    fold, state = life.fold, life.fold.streams["s"]
    current = CurrentStream(state, plan_of(fold, state, 0), as_log(life.log), fold.cache, 0, 200)
    pieces = [len(rows) for rows in example_rows(current)]
    assert (sum(pieces), pieces[-1]) == (200, 10)
    assert max(pieces) <= 10


def test_what_retention_has_removed_is_left_out_and_what_is_there_keeps_its_label() -> None:
    life = Life(window=50)
    for number in range(20):
        life.log.features(f"i{number}", [1, number, 0], None)
    for number in range(20):
        life.log.label(f"i{number}", "ab"[number % 2])
    life.fold.apply(life.log.records)
    life.log.begin = 5
    rows = rows_of(life)
    assert [(row.id, row.label) for row in rows] == [(f"i{number}", "ab"[number % 2]) for number in range(5, 20)]


def test_a_stream_of_another_one_of_the_same_name_has_none_of_its_rows() -> None:
    life = Life()
    life.do("features", "s", "old", [1, 0, 0], "a")
    life.do("label", "s", "old", "b")
    life.do("end", "s", "delete")
    life.do("features", "s", "new", [1, 0, 0], "a")
    assert [(row.id, row.label) for row in rows_of(life)] == [("new", "a")]


def test_the_log_of_the_tests_is_read_in_pieces() -> None:
    """Else the tests above would not see a row twice, or lost, between two."""
    log = ExampleLog()
    for number in range(8):
        log.features(f"i{number}", [1, 0, 0])
    assert len(log.follow("examples", {0: 0}).poll(512, 0)) == 7
