"""Anybody may write ``stream.catch-up``: the fold goes on, and takes nothing over that it has not replayed."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prequel.services.learner.fold.partition_parts import unsigned_part
from prequel.shared.log.base import EXAMPLES, Message
from tests.learner.life.history import Life
from tests.learner.life.test_edges import life_of, names, rename

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=6,
)
numbers = st.integers(0, 14)
bodies = st.dictionaries(
    st.sampled_from(["given", "settings", "begin", "problem", "id", "at", "do"]), anything | numbers
)
"""Some of the fields that a learner writes, with any value; those that are left out are the right ones."""


def waiting() -> Life:
    """A stream that waits for a replay of its log."""
    life = life_of("a", "b", "a", None, "b")
    life.command("class.delete", label="b")
    life.command("models.add", model="ncm")
    return life


def digest(life: Life) -> str:
    """Of all that the stream's state has."""
    return life.fold.parts(unsigned_part)["s"]["head"].digest


def write(life: Life, value: bytes, **headers: bytes) -> None:
    """Write a record as anybody may, and fold it."""
    known = dict(life.log.command("x", "stream.catch-up").headers)
    life.log.records.pop()
    message = Message(EXAMPLES, b"s", value, tuple((known | headers).items()))
    life.fold.apply([life.log.append(message)])


@given(bodies)
@example({"problem": "forged"})
@example({"problem": ["forged"], "begin": 3})
@example({"begin": 3})
@example({"begin": 7})
def test_whatever_it_says_it_is_refused_or_what_the_learner_would_have_written(forged: dict[str, Any]) -> None:
    life, honest = waiting(), waiting()
    before, decisions = life.fold.streams["s"], life.fold.streams["s"].decisions
    right: dict[str, Any] = {"given": decisions.given, "settings": len(life.fold.history), "begin": 0}
    body = {"id": "forged", "do": "stream.catch-up", "by": "x", "at": "2026-01-01T00:00:00Z", **right, **forged}
    write(life, json.dumps(body).encode())
    if life.fold.streams["s"] is before:
        assert life.fold.streams["s"].decisions is decisions
        assert life.catch_up() == "applied", "what waits is done all the same"
    else:
        honest.log.command("c", "stream.catch-up", **right)
        honest.fold.apply(honest.log.records[-1:])
        assert digest(life) == digest(honest)
    assert names(life) == ["a"]
    assert life.fold.streams["s"].config.models[-1] == "ncm"


@given(st.binary(max_size=60))
@example(b"[" * 100_000)
@example(b"{}")
def test_what_is_no_json_is_rejected(value: bytes) -> None:
    life = waiting()
    write(life, value)
    assert life.catch_up() == "applied"


def test_of_a_log_without_its_beginning_it_says_neither_what_is_lost_nor_why() -> None:
    life = waiting()
    life.log.begin = 2
    decisions = life.fold.streams["s"].decisions
    right: dict[str, Any] = {"given": decisions.given, "settings": len(life.fold.history)}
    assert (
        life.command("stream.catch-up", **right, begin=3, problem="forged")
        == "refused the log begins at 2, and not at 3"
    )
    assert life.command("stream.catch-up", **right, begin=0).startswith("refused the log begins at 2 by now")
    assert life.command("stream.catch-up", **right, begin=0, problem="forged").startswith("refused a replay from 0 on")
    assert life.fold.streams["s"].decisions is decisions
    assert life.command("stream.catch-up", **right, begin=2, problem="forged") == "applied"
    (refused,) = [each.why for each in life.fold.streams["s"].decisions if each.why]
    assert refused.startswith("the log begins at 2, and this stream began at 0: what it learned before would be lost")


@pytest.mark.parametrize("problem", ["", "forged"])
def test_where_nothing_waits_it_does_nothing(problem: str) -> None:
    life = life_of("a", "b")
    rename(life, "a", "z")
    before = digest(life)
    assert life.catch_up() == "refused nothing waits for a replay"
    assert life.command("stream.catch-up", given=1, settings=0, begin=0, problem=problem).startswith("refused")
    assert digest(life) == before
