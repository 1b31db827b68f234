"""Group members: failing metrics never cost one its state, and one that cannot work does not disturb the others."""

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
SHORT_BACKOFF = Backoff(0.01, 0.02)


class CountingProcessor:
    """A processor with positions of its own, over a store that can be down; counts what happens to its partitions."""

    name = "folding"
    topic = EXAMPLES
    max_records = 10

    def __init__(self, *, own_position: bool = True) -> None:
        self.down = False
        self.own_position = own_position
        self.owned: set[int] = set()
        self.restored = self.discarded = self.ready_calls = self.checkpoints = self.processed = 0

    def ready(self) -> None:
        self.ready_calls += 1
        if self.down:
            raise StoreUnavailable("the store is down")

    def restore(self, partition: int, generation: int) -> int | None:
        if self.down:
            raise StoreUnavailable("the store is down")
        self.restored += 1
        self.owned.add(partition)
        return 0 if self.own_position else None

    def process(self, records: Sequence[Record]) -> Processed:
        self.processed += len(records)
        return Processed((), (), {record.partition: record.offset + 1 for record in records})

    def poll_timeout(self) -> float:
        return 0.01

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        if self.down:
            raise StoreUnavailable("the store is down")
        self.checkpoints += 1

    def discard(self, partition: int) -> None:
        self.discarded += partition in self.owned
        self.owned.discard(partition)

    def hide_metrics(self, partition: int) -> None: ...


class LogWithoutLag(SqliteLog):
    """A log that refuses to tell how far groups are behind."""

    def lag(self, group: str, topic: str) -> dict[int, int]:
        raise LogUnavailable("describing the group is not allowed")


class LogWithBug(LogWithoutLag):
    def lag(self, group: str, topic: str) -> dict[int, int]:
        raise ZeroDivisionError("a bug in a gauge")


class LogWithoutCommits(SqliteLog):
    """A log whose groups cannot commit a position."""

    def join(self, group: str, topic: str) -> Member:  # type: ignore[override]  # a member with one fault
        member = super().join(group, topic)

        def commit(positions: Mapping[int, int]) -> bool:
            raise LogUnavailable("the group's coordinator is down")

        member.commit = commit  # type: ignore[method-assign]
        return member


Run = Callable[[SqliteLog, CountingProcessor], Health]


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs processors until the test ends."""
    stop, threads = threading.Event(), []

    def start(log: SqliteLog, processor: CountingProcessor) -> Health:
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
            backoff=SHORT_BACKOFF,
        )
        threads.append(threading.Thread(target=runner.run, args=(stop,)))
        threads[-1].start()
        return health

    yield start
    stop.set()
    for thread in threads:
        thread.join()


@contextmanager
def opened(log: SqliteLog) -> Iterator[SqliteLog]:
    for partition in range(log.partitions(EXAMPLES)):
        log.append([Message(EXAMPLES, b"k", b"v", partition=partition)])
    yield log


@pytest.mark.parametrize("kind", [LogWithoutLag, LogWithBug])
def test_a_failing_metric_costs_no_state_and_is_reported(tmp_path: Path, run: Run, kind: type[LogWithoutLag]) -> None:
    with opened(kind(tmp_path)) as log:
        processor = CountingProcessor()
        health = run(log, processor)
        assert isinstance(log, LogWithoutLag)
        wait_until(lambda: "folding: metrics" in health.reasons, 30, "the metric's failure")
        before = processor.checkpoints
        log.append([Message(EXAMPLES, b"k", b"v")])
        wait_until(lambda: processor.checkpoints > before, 30, "another checkpoint")
        assert (processor.restored, processor.discarded) == (1, 0)
        assert "folding" not in health.reasons


def test_a_failing_commit_costs_no_state_where_the_processor_has_its_own_position(tmp_path: Path, run: Run) -> None:
    with opened(LogWithoutCommits(tmp_path)) as log:
        processor = CountingProcessor()
        health = run(log, processor)
        wait_until(lambda: "coordinator" in health.reasons.get("folding: metrics", ""), 30, "the failing commit")
        log.append([Message(EXAMPLES, b"k", b"v")])
        wait_until(lambda: processor.checkpoints > 1, 30, "another checkpoint")
        assert processor.discarded == 0


def test_a_failing_commit_costs_the_state_where_the_position_is_the_groups(tmp_path: Path, run: Run) -> None:
    with opened(LogWithoutCommits(tmp_path)) as log:
        processor = CountingProcessor(own_position=False)
        health = run(log, processor)
        wait_until(lambda: processor.discarded > 1, 30, "polled again from the committed position")
        assert "coordinator" in health.reasons.get("folding", "coordinator")


def test_a_member_that_cannot_reach_the_store_takes_no_partitions(tmp_path: Path, run: Run) -> None:
    with opened(SqliteLog(tmp_path, partitions=PARTITIONS)) as log:
        healthy, cut_off = CountingProcessor(), CountingProcessor()
        cut_off.down = True
        run(log, healthy)
        wait_until(lambda: len(healthy.owned) == PARTITIONS, 30, "all partitions")
        health = run(SqliteLog(tmp_path, partitions=PARTITIONS), cut_off)
        wait_until(lambda: cut_off.ready_calls > 20, 30, "checks of the one that is cut off")
        assert (healthy.restored, healthy.discarded) == (PARTITIONS, 0)
        assert "the store is down" in health.reasons["folding"]
        cut_off.down = False
        wait_until(lambda: len(cut_off.owned) == len(healthy.owned) == PARTITIONS // 2, 30, "each its share")
        assert "folding" not in health.reasons


def test_a_member_that_loses_the_store_leaves_at_the_next_checkpoint_and_comes_back_later(
    tmp_path: Path, run: Run
) -> None:
    with opened(SqliteLog(tmp_path, partitions=PARTITIONS)) as log:
        one, other = CountingProcessor(), CountingProcessor()
        run(log, one)
        run(SqliteLog(tmp_path, partitions=PARTITIONS), other)
        wait_until(lambda: len(one.owned) == len(other.owned) == PARTITIONS // 2, 30, "each its share")
        other.down = True
        for partition in range(PARTITIONS):
            log.append([Message(EXAMPLES, b"k", b"v", partition=partition)])
        wait_until(lambda: len(one.owned) == PARTITIONS, 30, "the healthy one to have all")
        before, calls = one.restored, other.ready_calls
        wait_until(lambda: other.ready_calls > calls + 20, 30, "checks of the one that is cut off")
        assert one.restored == before
        other.down = False
        wait_until(lambda: len(one.owned) == len(other.owned) == PARTITIONS // 2, 30, "each its share again")
