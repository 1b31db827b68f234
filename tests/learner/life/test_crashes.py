"""Killed before and after any operation while streams catch up, a learner ends as the fold of its log says."""

import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from prequel.services.learner.fold.partition import Fold
from prequel.shared.log.base import EXAMPLES, Member, PollResult, Record
from tests.learner.building import ExampleLog, new_fold
from tests.learner.crashing import KillableLog, KillableMember, KillSwitch
from tests.learner.test_crashes import LIMITS, Machine

IDLE_POLLS = 8
"""Polls without a record after which a learner has nothing left to do: a replay takes a few turns between two of its
records. With half as many, it may be stopped before; with twice as many, the tests take longer."""


class PatientMember(KillableMember):
    """A member that is done once nothing has come for a while, and never waits."""

    idle = 0

    def poll(self, max_records: int, timeout_s: float) -> PollResult:
        polled = super().poll(max_records, 0.0)
        self.idle = 0 if polled.records else self.idle + 1
        if self.idle >= IDLE_POLLS:
            self._done()
        return polled


class PatientLog(KillableLog):
    """Its member is done later than at the log's end, where replays are made and handed over."""

    def join(self, group: str, topic: str) -> Member:
        return PatientMember(self._log.join(group, topic), self._kill_switch, sys.maxsize, self._done)


class CatchingUp(Machine):
    """A machine whose processes go on until nothing waits."""

    def killable_log(self, kill_switch: KillSwitch, stop: threading.Event) -> KillableLog:
        return PatientLog(self.log, kill_switch, stop.set)


def history() -> ExampleLog:
    """Two streams that wait for replays, one of which is obsolete before it is made.

    Nothing is forgotten: the log changes then, and earlier snapshots are not those of its fold any more.
    """
    log = ExampleLog()
    log.defaults(models="nearest,logistic", **LIMITS)
    for number in range(12):
        log.features(f"i{number}", [number % 5, -number, 1], "abc"[number % 3] if number % 4 else None)
        log.features(f"o{number}", [number % 3, 1, 1], "xy"[number % 2], stream="other")
    log.command("add", "models.add", model="ncm")
    log.command("rename", "class.rename", **{"from": "a", "to": "z"})
    log.label("i4", "z")
    log.command("merge", "class.merge", **{"from": "b", "to": "z"})
    log.label("i5", "b")
    log.command("delete", "class.delete", stream="other", label="x")
    log.features("o12", [1, 1, 1], "y", stream="other")
    log.command("promote", "models.promote", model="logistic")
    log.command("undo", "undo", command="merge")
    log.command("rebuild", "models.rebuild")
    for number in range(12, 18):
        log.features(f"i{number}", [number % 5, -number, 1], "zc"[number % 2])
    return log


def written(machine: Machine) -> list[Record]:
    with closing(machine.log.follow(EXAMPLES, {0: 0})) as reader:
        records: list[Record] = []
        while more := reader.poll(1_000, 0.0):
            records += more
    return records


def folded(machine: Machine) -> tuple[dict[int, str], Fold]:
    """The digest at every offset of the machine's log, as it is now, and the fold at its end."""
    fold, digests = new_fold(machine.log, **LIMITS), dict[int, str]()
    for record in written(machine):
        fold.apply([record])
        digests[fold.position] = fold.digest()
    return digests, fold


def settle(machine: Machine) -> dict[int, str]:
    """Start a process that is not killed: it ends when nothing waits. The digests of the log that it leaves."""
    machine.learn(KillSwitch())
    digests, fold = folded(machine)
    assert [name for name, stream in fold.streams.items() if stream.decisions.pending] == []
    assert machine.newest() == (max(digests), fold.digest())
    return digests


def killed_at(folder: Path, at: int) -> None:
    machine, kill_switch = CatchingUp(folder, history().records), KillSwitch(at)
    machine.learn(kill_switch)
    digests = settle(machine)
    wrong = [offset for offset, digest in machine.digests().items() if digests[offset] != digest]
    assert wrong == [], f"killed at {at}: {kill_switch.operations[-1]}"
    models = folded(machine)[1].streams["s"].config.models
    assert models == ("logistic", "nearest", "ncm")
    machine.close()


def operations(folder: Path) -> int:
    machine, kill_switch = CatchingUp(folder, history().records), KillSwitch()
    machine.learn(kill_switch)
    machine.close()
    return len(kill_switch.operations)


@pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_while_streams_catch_up(tmp_path: Path, step: int) -> None:
    count = operations(tmp_path / "calm")
    assert count > 30
    for at in range(0, 2 * count, step):  # Odd: before operations as well as after them.
        killed_at(tmp_path / str(at), at)


def test_killed_again_and_again_while_streams_catch_up(tmp_path: Path) -> None:
    machine = CatchingUp(tmp_path / "storm", history().records)
    for at in range(5, 2 * operations(tmp_path / "calm"), 17):
        machine.learn(KillSwitch(at))
    digests = settle(machine)
    assert [at for at, digest in machine.digests().items() if digests[at] != digest] == []
    machine.close()
