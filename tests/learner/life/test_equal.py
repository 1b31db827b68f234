"""Whatever people decide, and in whatever order, a stream is what a plain fold of its rewritten log is."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prequel.services.learner.fold.stream import StreamState
from tests.learner.building import new_fold
from tests.learner.life.history import Life, histories
from tests.learner.life.plain import Plain
from tests.learner.life.seen import different, shown_of, state_of
from tests.learner.test_fold import cut, stored_and_read


def check(life: Life) -> None:
    for name, state in life.fold.streams.items():
        if not state.decisions.pending:
            check_stream(life, name, state)


def check_stream(life: Life, name: str, state: StreamState) -> None:
    story = Plain(life, name, state)
    if story.joined_by_settings:
        return
    plain = story.fold().streams[name]
    one, other = state_of(state), state_of(plain)
    wrong = different(one, other)
    assert wrong == [], [(w, one.get(w), other.get(w)) for w in wrong]
    assert shown_of(state) == shown_of(plain)


def finish(life: Life) -> None:
    """Whatever waits is handed over, and then once more all."""
    for name in list(life.fold.streams):
        life.catch_up(name)
        check(life)
        life.command("models.rebuild", stream=name)
        life.catch_up(name)
    check(life)


def check_whole(history: list[tuple[Any, ...]]) -> None:
    life = Life()
    for step in history:
        if life.do(*step) == "applied" and step[0] == "catch-up":
            check(life)
    check(life)
    finish(life)


@settings(max_examples=40, deadline=None)
@given(histories)
def test_a_stream_is_the_plain_fold_of_its_rewritten_log(history: list[tuple[Any, ...]]) -> None:
    check_whole(history)


@pytest.mark.soak
@settings(max_examples=3_000, deadline=None)
@given(histories)
def test_a_stream_is_the_plain_fold_of_its_rewritten_log_at_length(history: list[tuple[Any, ...]]) -> None:
    check_whole(history)


def check_cuts(history: list[tuple[Any, ...]], sizes: list[int]) -> None:
    life = Life().live(history)
    fold, outputs = new_fold(life.log, **life.settings), []
    for piece in cut(life.log.records, sizes):
        outputs += fold.apply(piece).outputs
        fold = stored_and_read(fold)
    assert fold.digest() == life.fold.digest()
    assert outputs == life.outputs


@settings(max_examples=40, deadline=None)
@given(histories, st.lists(st.integers(1, 9), max_size=20))
def test_however_records_are_cut_and_states_restored_they_are_the_same(
    history: list[tuple[Any, ...]], sizes: list[int]
) -> None:
    check_cuts(history, sizes)


@pytest.mark.soak
@settings(max_examples=2_000, deadline=None)
@given(histories, st.lists(st.integers(1, 4), min_size=20, max_size=60))
def test_however_records_are_cut_and_states_restored_they_are_the_same_at_length(
    history: list[tuple[Any, ...]], sizes: list[int]
) -> None:
    check_cuts(history, sizes)
