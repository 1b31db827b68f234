"""Killed after every single operation that changes anything, the learner ends bit-equal to one that never was."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.learner import Learner
from prequel.services.learner.snapshots.root import read_roots, root_key
from prequel.shared.config import Settings
from prequel.shared.log.base import EXAMPLES, PREDICTIONS, Log, Message, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed, Processor
from prequel.shared.runtime.runner import Runner
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry, new_fold
from tests.learner.crashing import KillableLog, KillableStore, Killed, KillSwitch

LIMITS = {"window": 12, "accuracy_window": 5, "cache_examples": 3, "max_labels": 3}


def history(*, models: str = "ncm,nearest") -> ExampleLog:
    """Features with and without labels; labels late, early, again, different, retracted, for nothing, too late.

    The settings stand in the log, and change in the end, to these ``models``: a model goes, and one is caught up.
    A stream that is deleted with an image on its way, and begins again; labels for streams that do not exist.
    """
    log = ExampleLog()
    log.defaults(models="nearest,logistic", **LIMITS)
    log.label("i3", "a")
    log.label("i3", "a", stream="typo")
    log.label("g1", "a", stream="gone")
    for number in range(4):
        log.features(f"g{number}", [number, 1, 1], "ab"[number % 2], stream="gone")
    log.label("g1", "b", stream="gone")
    for number in range(20):
        log.features(f"i{number}", [number % 5, -number, 1], "abc"[number % 3] if number % 4 else None)
        if number % 5 == 4:
            log.label(f"i{number - 4}", "abc"[number % 2])
            log.label(f"i{number - 2}", "c")
            log.features(f"i{number - 1}", [9, 9, 9], "b")
        if number == 9:
            log.delete("c", stream="gone", late=1)
            log.features("g9", [1, 1, 1], stream="gone")
        if number == 12:
            log.features("g0", [1, 1, 1], "c", stream="gone")
            log.command("later", "class.rename", stream="gone")
    log.label("i12", None)
    log.label("i12", "b")
    log.label("i1", "c")
    log.label("nothing", "a")
    log.features("i50", [1, 2, 3, 4])
    log.defaults(models=models, window=9)
    log.label("i12", "a")
    log.features("i51", [1, 2, 3], "c")
    return log


class Machine:
    """A folder with a log and a store; processes come and go on it."""

    group = "learners"

    def __init__(self, folder: Path, records: Sequence[Record]) -> None:
        self.log, self.store = SqliteLog(folder / "log"), SqliteStore(folder / "store.sqlite")
        self.log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in records])
        self.roots: list[bytes] = []

    def learn(self, kill_switch: KillSwitch, wrap: type["SnapshotBeforeOutputs"] | None = None) -> None:
        """One process, from its start to the end of the log or to its death."""
        stop = threading.Event()
        log, store = self.killable_log(kill_switch, stop), KillableStore(self.store, kill_switch)
        settings = Settings.model_validate({"models": "nearest,logistic", **LIMITS})
        metrics = Metrics(CollectorRegistry())
        learner = Learner(
            settings,
            log=log,
            store=store,
            registry=Registry(),
            metrics=metrics,
            clock=_Clock(),
            owner=str(id(kill_switch)),
        )
        learner.max_records = 5
        processor: Processor = wrap(learner, log) if wrap else learner
        runner = Runner(
            log,
            processor,
            group=self.group,
            clock=_Clock(),
            metrics=metrics,
            health=Health(),
            checkpoint_seconds=1e9,
            checkpoint_events=10,
        )
        try:
            runner.run(stop)
        except Killed:
            assert kill_switch.dead
        finally:
            self.roots += store.swaps

    def killable_log(self, kill_switch: KillSwitch, stop: threading.Event) -> KillableLog:
        """The log as the process has it, which sets ``stop`` off once that has done its work."""
        return KillableLog(self.log, kill_switch, stop.set)

    def digests(self) -> dict[int, str]:
        """Offset -> digest of every snapshot that was ever written."""
        return {root.offset: root.digest for body in self.roots for root in read_roots(body)}

    def newest(self) -> tuple[int, str]:
        root = read_roots(self.store.get(root_key(0)))[0]
        return root.offset, root.digest

    def predictions(self) -> dict[bytes, set[bytes]]:
        """(id, kind) -> its different contents."""
        predicted: dict[bytes, set[bytes]] = {}
        reader = self.log.follow(PREDICTIONS, {0: 0})
        while records := reader.poll(1_000, 0):
            for record in records:
                if record.key == b"gone":
                    continue  # What was erased by then depends on when the process ended: it is not compared.
                predicted.setdefault(dict(record.headers)["ce_id"], set()).add(record.value)
        reader.close()
        return predicted

    def close(self) -> None:
        self.log.close()
        self.store.close()


class _Clock:
    """A clock that stands still."""

    def __call__(self) -> float:
        return 1.0


class SnapshotBeforeOutputs:
    """A mutation: a processor that commits its snapshot before its outputs are durable."""

    def __init__(self, learner: Learner, log: Log) -> None:
        self._learner = learner
        self.name, self.topic, self.max_records = learner.name, learner.topic, learner.max_records

    def restore(self, partition: int, generation: int) -> int | None:
        return self._learner.restore(partition, generation)

    def process(self, records: Sequence[Record]) -> Processed:
        processed = self._learner.process(records)
        self._learner.checkpoint(processed.positions)
        return processed

    def poll_timeout(self) -> float:
        return self._learner.poll_timeout()

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        """Done already."""

    def discard(self, partition: int) -> None:
        self._learner.discard(partition)

    def hide_metrics(self, partition: int) -> None:
        self._learner.hide_metrics(partition)


class StartsAtGroupPosition(SnapshotBeforeOutputs):
    """A mutation: a learner that goes by the group's committed position instead of its snapshot's."""

    def restore(self, partition: int, generation: int) -> int | None:
        self._learner.restore(partition, generation)
        return None

    def process(self, records: Sequence[Record]) -> Processed:
        return self._learner.process(records)

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        self._learner.checkpoint(positions)


class Undisturbed(NamedTuple):
    """Where nobody was killed."""

    records: list[Record]
    digests: dict[int, str]
    """By the fold alone, at every offset."""
    predicted: dict[bytes, set[bytes]]
    kill_switch: KillSwitch
    """With the operations of the process."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What the fold alone and a machine whose process never died come to."""
    log = history()
    fold, digests = new_fold(log, **LIMITS), {}
    for record in log.records:
        fold.apply([record])
        digests[fold.position] = fold.digest()
    kill_switch = KillSwitch()
    predicted = undisturbed_predictions(tmp_path_factory.mktemp("calm"), kill_switch)
    return Undisturbed(log.records, digests, predicted, kill_switch)


def undisturbed_predictions(folder: Path, kill_switch: KillSwitch) -> dict[bytes, set[bytes]]:
    """Of a process that ``kill_switch`` does not kill."""
    machine = Machine(folder, history().records)
    machine.learn(kill_switch)
    predicted = machine.predictions()
    machine.close()
    return predicted


def differences(machine: Machine, digests: dict[int, str], predicted: dict[bytes, set[bytes]]) -> list[str]:
    """How the machine differs from one whose process never died."""
    problems = [f"snapshot at {at} differs" for at, digest in machine.digests().items() if digests[at] != digest]
    if machine.newest() != (max(digests), digests[max(digests)]):
        problems.append(f"ends at {machine.newest()}")
    now = machine.predictions()
    problems += [f"{id!r} has {len(now.get(id, ()))} contents" for id in predicted if now.get(id) != predicted[id]]
    return problems


def killed_at(
    folder: Path, at: int, calm: Undisturbed, wrap: type[SnapshotBeforeOutputs] | None = None
) -> tuple[str, list[str]]:
    """The operation at which a process died, and what is wrong once another has gone on."""
    machine, kill_switch = Machine(folder, calm.records), KillSwitch(at)
    machine.learn(kill_switch, wrap)
    assert kill_switch.dead
    machine.learn(KillSwitch(), wrap)
    problems = differences(machine, calm.digests, calm.predicted)
    machine.close()
    return kill_switch.operations[-1], problems


def test_killed_after_every_operation_that_changes_anything(undisturbed: Undisturbed, tmp_path: Path) -> None:
    instants = undisturbed.kill_switch.instants()
    assert len(instants) > 40
    assert len(undisturbed.predicted) > 20
    for at in instants:
        operation, problems = killed_at(tmp_path / str(at), at, undisturbed)
        assert problems == [], f"killed at {at}: {operation}"


@pytest.mark.soak
def test_killed_before_and_after_every_operation(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Those that read too: the test above leaves out nothing that differs."""
    for at in range(2 * len(undisturbed.kill_switch.operations)):
        operation, problems = killed_at(tmp_path / str(at), at, undisturbed)
        assert problems == [], f"killed at {at}: {operation}"


def test_killed_again_and_again(undisturbed: Undisturbed, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "storm", undisturbed.records)
    for at in [*range(3, len(undisturbed.kill_switch.operations), 7), None]:
        machine.learn(KillSwitch(at))
    assert differences(machine, undisturbed.digests, undisturbed.predicted) == []
    machine.close()


@pytest.mark.parametrize("mutation", [SnapshotBeforeOutputs, StartsAtGroupPosition])
def test_these_tests_catch_a_checkpoint_in_the_wrong_order(
    mutation: type[SnapshotBeforeOutputs], undisturbed: Undisturbed, tmp_path: Path
) -> None:
    instants = undisturbed.kill_switch.instants()
    late = [at for at in instants if at >= len(undisturbed.kill_switch.operations)]
    assert any(killed_at(tmp_path / str(at), at, undisturbed, mutation)[1] for at in late)
