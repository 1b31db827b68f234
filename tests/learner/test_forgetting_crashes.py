"""Killed between any two operations, a learner that forgets an image leaves nothing of it, and loses nothing."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.learner import Learner
from prequel.shared.config import Settings
from prequel.shared.log.base import EXAMPLES, Message
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry, new_fold
from tests.learner.crashing import KillableLog, KillableStore, Killed, KillSwitch

IDLE = 1e9
FIRST_SNAPSHOT = 10
"""Records in it: the image, its label and the command are among them."""
LIMITS = {"window": 12, "accuracy_window": 5, "cache_examples": 3}
FEATURES = [5.25, 7.125, 9.5]
SECRETS = (b"number-plate", np.array(FEATURES, "<f4").tobytes())


def written() -> ExampleLog:
    """A log in which an image is forgotten; the snapshot before the last has the command, and the image."""
    log = ExampleLog()
    log.defaults(models="nearest,logistic", **LIMITS)
    for number in range(6):
        log.features(f"i{number}", [number % 3, 1, 1], "ab"[number % 2])
    log.features("number-plate", FEATURES, "b")
    log.label("number-plate", "a")
    log.command("f", "example.forget", ids=["number-plate"], images={"0": 10**6})
    log.features("later", [1, 0, 0], "b")
    fold = new_fold(log, models="nearest,logistic", **LIMITS)
    fold.apply(log.records)
    given = fold.streams["s"].decisions.given
    log.command("c", "stream.catch-up", given=given, settings=len(fold.history), begin=0)
    log.features("last", [1, 0, 0], "b")
    return log


class Machine:
    """A folder with a log and a store, on which one learner after the other works."""

    def __init__(self, folder: Path, log: ExampleLog) -> None:
        self.folder, self._generation = folder, 0
        self.log, self.store = SqliteLog(folder / "log"), SqliteStore(folder / "store.sqlite")
        self.log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in log.records])

    def work(self, kill_switch: KillSwitch) -> str:
        """Fold to the end of the log, with snapshots on the way, and erase; the digest of the state."""
        self._generation += 1
        log, store = KillableLog(self.log, kill_switch, lambda: None), KillableStore(self.store, kill_switch)
        learner = Learner(
            Settings.model_validate({"models": "nearest,logistic", **LIMITS}),
            log=log,
            store=store,
            registry=Registry(),
            metrics=Metrics(CollectorRegistry()),
            clock=lambda: 1.0,
            owner=str(self._generation),
        )
        try:
            return self._fold(learner, log)
        finally:
            learner.discard(0)

    def _fold(self, learner: Learner, log: KillableLog) -> str:
        position, end = learner.restore(0, self._generation) or 0, self.log.bounds(EXAMPLES)[0].end
        for stop in sorted({max(position, FIRST_SNAPSHOT), end}):
            records = self.log.read(EXAMPLES, 0, range(position, stop))
            processed = learner.process([records[offset] for offset in sorted(records)])
            log.append(list(processed.messages))
            learner.checkpoint({0: stop})
            position = stop
        owned = learner._partitions[0]
        while owned.eraser.poll_timeout(IDLE) < IDLE:
            owned.eraser.work()
        return owned.fold.digest()

    def problems(self, expected: str) -> list[str]:
        """What is left of the image in the files, and whether the log folds to another state."""
        found = [
            f"{path.name} has {secret!r}"
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
            for secret in SECRETS
            if secret in path.read_bytes()
        ]
        log = ExampleLog()
        for record in self.log.read(EXAMPLES, 0, range(self.log.bounds(EXAMPLES)[0].end)).values():
            log.append_record(record)
        again = new_fold(log, models="nearest,logistic", **LIMITS)
        again.apply(log.records)
        return found if again.digest() == expected else [*found, "the log folds to another state"]

    def close(self) -> None:
        self.log.close()
        self.store.close()


def expected_digest(log: ExampleLog) -> str:
    fold = new_fold(log, models="nearest,logistic", **LIMITS)
    fold.apply(log.records)
    return fold.digest()


def undisturbed(folder: Path) -> tuple[list[str], list[str]]:
    """What is wrong where nobody was killed, and the operations."""
    log, calm = written(), KillSwitch()
    with closing(Machine(folder / "calm", log)) as machine:
        assert machine.work(calm) == expected_digest(log)
        return machine.problems(expected_digest(log)), calm.operations


def test_killed_anywhere_it_leaves_nothing_of_the_image(tmp_path: Path) -> None:
    wrong, operations = undisturbed(tmp_path)
    log = written()
    expected = expected_digest(log)
    assert {"swap", "erase", "scrub"} <= set(operations)
    for at in range(2 * operations.index("swap"), 2 * len(operations), 2):  # After one operation is before the next.
        with closing(Machine(tmp_path / str(at), log)) as machine:
            kill_switch = KillSwitch(at)
            with pytest.raises(Killed):
                machine.work(kill_switch)
            assert machine.work(KillSwitch()) == expected
            wrong += [f"killed at {at} ({kill_switch.operations[-1]}): {each}" for each in machine.problems(expected)]
    assert wrong == []
