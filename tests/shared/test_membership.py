"""Who may be a member: metrics and statuses never cost one its state, and who cannot work leaves the others alone."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from prequel.shared.log.base import EXAMPLES, LogUnavailable, Member, Message, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed
from prequel.shared.runtime.retry import Backoff
from prequel.shared.runtime.runner import Runner
from prequel.shared.store.base import StoreUnavailable
from tests.servers.ports import wait_until

PARTITIONS = 4
QUICK = Backoff(0.01, 0.02)


class Folding:
    """A fold that keeps its own position, over a store that can be ``away``; counts what happens to its partitions."""

    name = "folding"
    topic = EXAMPLES
    max_records = 10

    def __init__(self, *, own_position: bool = True) -> None:
        self.away = False
        self.own_position = own_position
        self.owned: set[int] = set()
        self.restored = self.dropped = self.asked = self.checkpoints = self.folded = 0

    def ready(self) -> None:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("the store is away")

    def restore(self, partition: int, generation: int) -> int | None:
        if self.away:
            raise StoreUnavailable("the store is away")
        self.restored += 1
        self.owned.add(partition)
        return 0 if self.own_position else None

    def process(self, records: Sequence[Record]) -> Processed:
        self.folded += len(records)
        return Processed((), (), {record.partition: record.offset + 1 for record in records})

    def poll_timeout(self) -> float:
        return 0.01

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        if self.away:
            raise StoreUnavailable("the store is away")
        self.checkpoints += 1

    def discard(self, partition: int) -> None:
        self.dropped += partition in self.owned
        self.owned.discard(partition)

    def hide_metrics(self, partition: int) -> None: ...


class Blind(SqliteLog):
    """A log that nobody may ask how far groups are."""

    asked = 0

    def lag(self, group: str, topic: str) -> dict[int, int]:
        self.asked += 1
        raise LogUnavailable("describing the group is not allowed")


class Buggy(Blind):
    def lag(self, group: str, topic: str) -> dict[int, int]:
        self.asked += 1
        raise ZeroDivisionError("a bug in a gauge")


class Forgetful(SqliteLog):
    """A log whose groups record no position."""

    def join(self, group: str, topic: str) -> Member:  # type: ignore[override]  # a member with one fault
        member = super().join(group, topic)

        def commit(positions: Mapping[int, int]) -> bool:
            raise LogUnavailable("the group's coordinator is away")

        member.commit = commit  # type: ignore[method-assign]
        return member


Run = Callable[[SqliteLog, Folding], Health]


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs processors until the test ends."""
    stop, threads = threading.Event(), []

    def begin(log: SqliteLog, processor: Folding) -> Health:
        health = Health()
        runner = Runner(
            log,
            processor,
            group="g",
            clock=time.monotonic,
            metrics=Metrics(CollectorRegistry()),
            health=health,
            checkpoint_seconds=0.05,
            checkpoint_events=10**6,
            ready=processor.ready,
            backoff=QUICK,
        )
        threads.append(threading.Thread(target=runner.run, args=(stop,)))
        threads[-1].start()
        return health

    yield begin
    stop.set()
    for thread in threads:
        thread.join()


@contextmanager
def opened(log: SqliteLog) -> Iterator[SqliteLog]:
    for partition in range(log.partitions(EXAMPLES)):
        log.append([Message(EXAMPLES, b"k", b"v", partition=partition)])
    yield log


@pytest.mark.parametrize("kind", [Blind, Buggy])
def test_a_metric_that_fails_costs_no_state_and_is_said(tmp_path: Path, run: Run, kind: type[Blind]) -> None:
    with opened(kind(tmp_path)) as log:
        processor = Folding()
        health = run(log, processor)
        assert isinstance(log, Blind)
        wait_until(lambda: "folding: metrics" in health.reasons, 30, "the metric's failure")
        before = processor.checkpoints
        log.append([Message(EXAMPLES, b"k", b"v")])
        wait_until(lambda: processor.checkpoints > before, 30, "another checkpoint")
        assert (processor.restored, processor.dropped) == (1, 0)
        assert "folding" not in health.reasons


def test_a_position_that_nobody_needs_is_not_worth_the_state_either(tmp_path: Path, run: Run) -> None:
    with opened(Forgetful(tmp_path)) as log:
        processor = Folding()
        health = run(log, processor)
        wait_until(lambda: "coordinator" in health.reasons.get("folding: metrics", ""), 30, "the failing commit")
        log.append([Message(EXAMPLES, b"k", b"v")])
        wait_until(lambda: processor.checkpoints > 1, 30, "another checkpoint")
        assert processor.dropped == 0


def test_a_position_that_counts_is_worth_it(tmp_path: Path, run: Run) -> None:
    with opened(Forgetful(tmp_path)) as log:
        processor = Folding(own_position=False)
        health = run(log, processor)
        wait_until(lambda: processor.dropped > 1, 30, "polled again from the committed position")
        assert "coordinator" in health.reasons.get("folding", "coordinator")


def test_who_cannot_reach_the_store_takes_no_partition_from_who_can(tmp_path: Path, run: Run) -> None:
    with opened(SqliteLog(tmp_path, partitions=PARTITIONS)) as log:
        healthy, sick = Folding(), Folding()
        sick.away = True
        run(log, healthy)
        wait_until(lambda: len(healthy.owned) == PARTITIONS, 30, "all partitions")
        health = run(SqliteLog(tmp_path, partitions=PARTITIONS), sick)
        wait_until(lambda: sick.asked > 20, 30, "the sick one's looks")
        assert (healthy.restored, healthy.dropped) == (PARTITIONS, 0)
        assert "the store is away" in health.reasons["folding"]
        sick.away = False
        wait_until(lambda: len(sick.owned) == len(healthy.owned) == PARTITIONS // 2, 30, "each its share")
        assert "folding" not in health.reasons


def test_who_loses_the_store_leaves_once_a_checkpoint_needs_it_and_comes_back_after_it(
    tmp_path: Path, run: Run
) -> None:
    with opened(SqliteLog(tmp_path, partitions=PARTITIONS)) as log:
        one, other = Folding(), Folding()
        run(log, one)
        run(SqliteLog(tmp_path, partitions=PARTITIONS), other)
        wait_until(lambda: len(one.owned) == len(other.owned) == PARTITIONS // 2, 30, "each its share")
        other.away = True
        for partition in range(PARTITIONS):
            log.append([Message(EXAMPLES, b"k", b"v", partition=partition)])
        wait_until(lambda: len(one.owned) == PARTITIONS, 30, "the healthy one to have all")
        before, looks = one.restored, other.asked
        wait_until(lambda: other.asked > looks + 20, 30, "the sick one's looks")
        assert one.restored == before
        other.away = False
        wait_until(lambda: len(one.owned) == len(other.owned) == PARTITIONS // 2, 30, "each its share again")
