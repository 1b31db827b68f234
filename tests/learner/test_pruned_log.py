"""Retention that takes whatever it may, at every instant, never takes what a learner still needs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.learner import Learner
from prequel.services.learner.snapshots.snapshots import MAX_SNAPSHOTS
from prequel.shared.config import Settings
from prequel.shared.log.base import EXAMPLES
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.retention import floors
from prequel.shared.retention.floors import Floor
from prequel.shared.retention.needs import Needs
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry, new_fold
from tests.learner.crashing import READS, KillSwitch, Result
from tests.learner.test_crashes import LIMITS, Machine, history


class PruningKillSwitch(KillSwitch):
    """At every instant all is removed that nobody is known to need.

    That is at the beginning, and after each operation that changes anything: reading makes nothing superfluous.
    """

    def __init__(self, prune: Callable[[], None], at: int | None = None) -> None:
        super().__init__(at)
        self._prune = prune

    def do(self, name: str, operation: Callable[[], Result]) -> Result:
        if not self.operations:
            self._prune()
        result = super().do(name, operation)
        if name not in READS:
            self._prune()
        return result


class PrunedMachine(Machine):
    """A machine whose log is pruned to the last record that is not needed."""

    group = "g-learner"

    def prune(self) -> None:
        needs = Needs(self.log, self.store, group="g", view_predictions=10**6).of(EXAMPLES)
        while self.log.pruning(EXAMPLES).delete_oldest(0, needs[0].offset):
            pass

    @property
    def begin(self) -> int:
        return self.log.bounds(EXAMPLES)[0].begin


def long_history() -> ExampleLog:
    log = history(models="nearest,logistic")  # None is caught up: that takes what the log has at the time.
    for number in range(100, 140):
        log.features(f"i{number}", [number % 5, -number, 1], "abc"[number % 3] if number % 4 else None)
        if number % 3 == 2:
            log.label(f"i{number - 6}", "abc"[number % 2])  # Its features are not cached any more: they are read back.
    return log


def test_a_learner_killed_at_any_operation_over_a_log_that_is_always_pruned_is_bit_equal(tmp_path: Path) -> None:
    log = long_history()
    fold, digests = new_fold(log, **LIMITS), {}
    for record in log.records:
        fold.apply([record])
        digests[fold.position] = fold.digest()
    calm = PrunedMachine(tmp_path / "calm", log.records)
    kill_switch = PruningKillSwitch(calm.prune)
    calm.learn(kill_switch)
    assert calm.begin > 20, "retention took nothing: this test would show nothing"
    calm.close()
    for at in kill_switch.instants()[::3]:
        machine = PrunedMachine(tmp_path / str(at), log.records)
        machine.learn(PruningKillSwitch(machine.prune, at))
        machine.learn(PruningKillSwitch(machine.prune))
        wrong = [offset for offset, digest in machine.digests().items() if digests[offset] != digest]
        assert (wrong, machine.newest()) == ([], (max(digests), digests[max(digests)])), f"killed at {at}"
        machine.close()


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "store")


def learner(folder: Path, store: SqliteStore, **settings: object) -> Learner:
    given = Settings.model_validate({"models": "nearest", "window": 4, **settings})
    made = Learner(
        given,
        log=SqliteLog(folder / "log"),
        store=store,
        registry=Registry(),
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: 1.0,
        owner="o",
    )
    made.restore(0, 1)
    return made


def test_the_floor_is_the_window_of_the_oldest_snapshot_and_names_its_stream(
    tmp_path: Path, store: SqliteStore
) -> None:
    examples, running = ExampleLog(), learner(tmp_path, store)
    examples.features("rests", [1, 0, 0], "a", stream="slow")
    for number in range(1, 30):
        examples.features(f"i{number}", [1, 0, 0], "a", stream="fast")
    for count in range(1, MAX_SNAPSHOTS):
        running.checkpoint(running.process(examples.records[count - 1 : count]).positions)
        assert floors.read(store, 0) == Floor(0, "", 0.0), "an older snapshot might be kept"
    running.checkpoint(running.process(examples.records[MAX_SNAPSHOTS - 1 :]).positions)
    assert floors.read(store, 0) == Floor(0, "slow", 1_000.0)


def test_the_floor_moves_with_the_snapshots(tmp_path: Path, store: SqliteStore) -> None:
    examples, running = ExampleLog(), learner(tmp_path, store)
    for number in range(40):
        examples.features(f"i{number}", [1, 0, 0], "a")
    for end in range(10, 41, 10):
        running.checkpoint(running.process(examples.records[end - 10 : end]).positions)
    assert floors.read(store, 0) == Floor(16, "s", 1_016.0), "of the one at 20: the window is 4 long"


def test_a_learner_that_rebuilds_lowers_the_floor_first(tmp_path: Path, store: SqliteStore) -> None:
    floors.publish(store, 0, Floor(1_000, "s", 1.0))
    learner(tmp_path, store)
    assert floors.read(store, 0) == Floor(0, "", 0.0)
