"""A long history: the ten-thousandth command costs what the hundredth did, and what follows from all is the same."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from prequel.services.learner.fold.decisions.decisions import HANDED_ON, MAX_DECISIONS, decision_rows, decisions_from
from tests.learner.building import ExampleLog, new_fold

MANY = MAX_DECISIONS - 1
"""With more, the oldest give way, and are looked for."""


def steps(work: Callable[[], object]) -> int:
    """How many instructions of Python the work takes: a loop over ten thousand decisions takes ten thousand more."""
    counted = 0

    def count(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal counted
        frame.f_trace_opcodes = True
        counted += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


def command(log: ExampleLog, kind: str, number: int) -> None:
    id = f"c{number}"
    if kind == "names":
        log.command(id, "class.rename", **{"from": f"x{number - 1}" if number else "x", "to": f"x{number}"})
    elif kind == "deletions":
        log.command(id, "class.delete", label="y")
    elif kind == "settings":
        log.command(id, "stream.set", goal=0.5 + number / 1e5)
    elif kind == "refusals":
        log.command(id, "class.delete", label="there is none")


def begun() -> ExampleLog:
    log = ExampleLog()
    log.features("a", [1, 0, 0], "x")
    log.features("b", [0, 1, 0], "y")
    return log


@pytest.mark.parametrize("kind", ["names", "deletions", "settings", "refusals"])
def test_a_command_costs_the_same_however_many_came_before(kind: str) -> None:
    log = begun()
    for number in range(MANY):
        command(log, kind, number)
    fold, records = new_fold(log, models="nearest"), log.records
    fold.apply(records[:100])
    early = steps(lambda: fold.apply(records[100:110]))
    fold.apply(records[110:-10])
    assert steps(lambda: fold.apply(records[-10:])) <= 1.1 * early


def test_what_is_handed_on_is_what_the_whole_history_says() -> None:
    log = begun()
    for number, kind in enumerate(["names", "refusals", "settings", "deletions"] * 3):
        command(log, kind, 0 if kind == "names" else number)
        log.command(f"r{number}", "class.rename", **{"from": "y", "to": f"y{number}"})
        log.command(f"b{number}", "class.rename", **{"from": f"y{number}", "to": "y"})
    log.command("model", "models.add", model="ncm", **{"from": "now"})
    log.command("champion", "models.promote", model="ncm")
    log.command("undo", "undo", command="r0")
    log.command("merge", "class.merge", **{"from": "y", "to": "x0"})
    log.command("joins", "models.add", model="naive-bayes")
    log.command("forget", "example.forget", ids=["a"])
    fold = new_fold(log, models="nearest")
    applied = set()
    for record in log.records:
        fold.apply([record])
        stream = fold.streams["s"]
        anew = decisions_from(decision_rows(stream.decisions))
        for name in HANDED_ON:
            assert getattr(stream.decisions, name) == getattr(anew, name)
        applied |= {decision.do for decision in stream.decisions.standing}
        assert stream.names.renamed() == anew.names.renamed()
        assert stream.class_names == anew.names.names(stream.labels)
    assert len(applied) == 8
