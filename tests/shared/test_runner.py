"""The runner: a rejected record becomes a dead letter, even one as large as the log accepts; checkpoints; ownership."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from prequel.shared.events.types import Rejected
from prequel.shared.log.base import (
    DEAD_LETTERS,
    EXAMPLES,
    Headers,
    LogUnavailable,
    Message,
    PollResult,
    Position,
    Record,
    RecordTooLarge,
)
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.deadlines import METRIC_BACKOFF
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed
from prequel.shared.runtime.retry import Attempts
from prequel.shared.runtime.runner import Runner
from prequel.shared.runtime.session import Session
from prequel.shared.store.base import StoreUnavailable

LIMIT = 4096


class Refusing:
    """A processor that rejects every record, and has ``outputs`` besides; it sets ``stop`` after ``total`` records."""

    name = "refusing"
    topic = EXAMPLES

    def __init__(self, stop: threading.Event, total: int, max_records: int, outputs: Sequence[Message] = ()) -> None:
        self.stop, self.total, self.max_records, self.outputs = stop, total, max_records, outputs
        self.committed: dict[int, int] = {}

    def restore(self, partition: int, generation: int) -> int | None:
        return 0

    def process(self, records: Sequence[Record]) -> Processed:
        if records and records[-1].offset + 1 == self.total:
            self.stop.set()
        rejected = [(record, Rejected("no-good", "says the test")) for record in records]
        return Processed(self.outputs if records else (), rejected, {r.partition: r.offset + 1 for r in records})

    def poll_timeout(self) -> float:
        return 0.1

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        self.committed |= positions

    def discard(self, partition: int) -> None: ...

    def hide_metrics(self, partition: int) -> None: ...


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(tmp_path, max_record_bytes=LIMIT)
    yield log
    log.close()


def run(log: SqliteLog, max_records: int, outputs: Sequence[Message] = ()) -> dict[int, int]:
    """One process that takes all examples; the positions that it committed."""
    stop = threading.Event()
    processor = Refusing(stop, log.bounds(EXAMPLES)[0].end, max_records, outputs)
    runner = Runner(
        log,
        processor,
        group="g",
        clock=lambda: 0.0,
        metrics=Metrics(CollectorRegistry()),
        health=Health(),
        checkpoint_seconds=1e9,
        checkpoint_events=10**9,
    )
    runner.run(stop)
    return processor.committed


def dead_letters(log: SqliteLog) -> list[Record]:
    begin, end = log.bounds(DEAD_LETTERS)[0]
    return [record for _, record in sorted(log.read(DEAD_LETTERS, 0, range(begin, end)).items())]


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"pets", b"x" * (LIMIT - 30), ()),
        (b"k" * (LIMIT - 30), b"x", ()),
        (b"pets", b"x", (("h", b"h" * (LIMIT - 60)),)),
        (b"pets", b"x", (("ce_id", b"i" * (LIMIT - 60)),)),
        (b"pets", b"x", (("ce_subject", b"s" * 200),) * 18),
    ],
)
def test_a_rejected_record_of_maximum_size_gets_an_abridged_dead_letter(
    log: SqliteLog, key: bytes, value: bytes, headers: Headers
) -> None:
    log.append([Message(EXAMPLES, key, value, headers)])
    assert run(log, 10) == {0: 1}
    (dead_letter,) = dead_letters(log)
    attributes = dict(dead_letter.headers)
    assert (dead_letter.value, attributes["ce_reason"], attributes["ce_origin"]) == (b"", b"no-good", b"examples:0:0")
    assert b"is only at examples:0:0: says the test" in attributes["ce_detail"]
    assert {"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"} <= set(attributes)


def test_an_abridged_dead_letter_keeps_the_identifying_headers(log: SqliteLog) -> None:
    identifying = (("ce_id", b"i1"), ("ce_subject", b"pets"), ("ce_image", b"0:7"))
    log.append([Message(EXAMPLES, b"pets", b"x" * (LIMIT - 150), identifying)])
    run(log, 10)
    (dead_letter,) = dead_letters(log)
    assert dead_letter.key == b"pets"
    assert set(identifying) <= set(dead_letter.headers)


def test_a_dead_letter_does_not_depend_on_the_others_of_its_batch(log: SqliteLog) -> None:
    sizes = [10, LIMIT - 30, 20, LIMIT - 30, 30]
    log.append([Message(EXAMPLES, b"pets", b"x" * size) for size in sizes])
    for max_records in (5, 1, 3):
        run(log, max_records)
    written = [(record.value, record.headers) for record in dead_letters(log)]
    assert [len(value) for value, _ in written[:5]] == [10, 0, 20, 0, 30]
    assert written[:5] == written[5:10] == written[10:]


def test_an_output_too_large_stops_the_service(log: SqliteLog) -> None:
    log.append([Message(EXAMPLES, b"pets", b"x" * 10)])
    with pytest.raises(RecordTooLarge):
        run(log, 10, [Message("predictions", b"pets", b"x" * LIMIT * 2)])
    assert dead_letters(log) == []


class Group:
    """A member that is assigned one partition; it records no position while the group is ``busy``."""

    def __init__(self) -> None:
        self.busy = True
        self.recorded: dict[int, int] = {}
        self.polls = [PollResult([], (0,), (), 1), PollResult([], (), (), 1)]

    def poll(self, max_records: int, timeout_s: float) -> PollResult:
        return self.polls.pop(0)

    def seek(self, partition: int, offset: int) -> None: ...

    def committed(self, partition: int) -> int | None:
        return None

    def commit(self, positions: Mapping[int, int]) -> bool:
        if not self.busy:
            self.recorded |= positions
        return not self.busy

    def close(self) -> None: ...


class Restoring(Refusing):
    """Restores a partition at offset 7, or fails while it does."""

    fails = False

    def __init__(self) -> None:
        super().__init__(threading.Event(), 0, 1)
        self.discarded: list[int] = []
        self.hidden: list[int] = []

    def restore(self, partition: int, generation: int) -> int | None:
        if self.fails:
            raise StoreUnavailable("half-way")
        return 7

    def discard(self, partition: int) -> None:
        self.discarded.append(partition)

    def hide_metrics(self, partition: int) -> None:
        self.hidden.append(partition)


@pytest.fixture
def group() -> Group:
    return Group()


def session(log: SqliteLog, processor: Restoring, group: Group, executor: ThreadPoolExecutor) -> Session:
    measuring = Attempts("metrics", Health(), METRIC_BACKOFF)
    return Session(
        log,
        processor,
        group,
        executor,
        group="g",
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: 0.0,
        shown=set(),
        measuring=measuring,
    )


def test_a_position_that_the_group_did_not_record_is_committed_again(log: SqliteLog, group: Group) -> None:
    with ThreadPoolExecutor(1) as executor:
        running = session(log, Restoring(), group, executor)
        running.turn()
        running.measure()
        assert group.recorded == {}
        group.busy = False
        running.measure()
        assert group.recorded == {0: 7}, "the position at which it was restored"


def test_a_partition_whose_restore_failed_is_discarded(log: SqliteLog, group: Group) -> None:
    processor = Restoring()
    processor.fails = True
    with ThreadPoolExecutor(1) as executor:
        running = session(log, processor, group, executor)
        with pytest.raises(StoreUnavailable):
            running.turn()
        running.discard()
        assert (processor.discarded, processor.hidden) == ([0], [])
        running.measure()
    assert processor.hidden == [0], "the next session does not own it"


class Slow(SqliteLog):
    """A log that takes some time to fail, as Kafka does; counts the appends."""

    appends = 0

    def append(self, messages: Sequence[Message]) -> list[Position]:
        if messages[0].topic != DEAD_LETTERS:
            return super().append(messages)
        self.appends += 1
        threading.Event().wait(0.2)
        raise LogUnavailable("unavailable")


def test_after_a_failed_append_the_queued_batches_are_not_tried(tmp_path: Path) -> None:
    log = Slow(tmp_path)
    log.append([Message(EXAMPLES, b"s", b"x")] * 3)
    assert run(log, 1) == {}
    assert log.appends < 3, "the append in progress was waited for, the one behind it was not running"
    log.close()


class Lengthy(Restoring):
    """Its checkpoints take some seconds by the clock."""

    def __init__(self, now: list[float], takes: float) -> None:
        super().__init__()
        self.now, self.takes = now, takes

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        super().checkpoint(positions)
        self.now[0] += self.takes


@pytest.mark.parametrize("takes", [0.0, 0.2, 3.0])
def test_checkpoints_take_no_more_than_a_tenth_of_the_time(log: SqliteLog, takes: float) -> None:
    now, checkpoints = [0.0], 0
    processor, group = Lengthy(now, takes), Group()
    with ThreadPoolExecutor(1) as executor:
        measuring = Attempts("metrics", Health(), METRIC_BACKOFF)
        metrics = Metrics(CollectorRegistry())
        running = Session(
            log,
            processor,
            group,
            executor,
            group="g",
            metrics=metrics,
            clock=lambda: now[0],
            shown=set(),
            measuring=measuring,
        )
        running.turn()
        while now[0] < 1_000:
            running._positions = {0: 8}
            if running.checkpoint_due(5.0, 10**9):
                running.checkpoint()
                checkpoints += 1
            now[0] += 0.1
    assert checkpoints * takes <= 0.1 * 1_000 + takes
    assert checkpoints >= min(1_000 / (5.2 + takes), 95 / max(takes, 1e-9)) - 1, "and not much less than that"


class Counting(Refusing):
    """Rejects every record, but only the first with a dead letter."""

    def process(self, records: Sequence[Record]) -> Processed:
        done = super().process(records)
        rejected = [
            (record, Rejected(why.reason, why.detail, counted=record.offset > 0)) for record, why in done.rejected
        ]
        return done._replace(rejected=rejected)


def test_what_is_only_counted_gets_no_dead_letter(log: SqliteLog) -> None:
    log.append([Message(EXAMPLES, b"pets", b"x" * 10) for _ in range(5)])
    stop, metrics = threading.Event(), Metrics(CollectorRegistry())
    processor = Counting(stop, 5, 2, ())
    Runner(
        log,
        processor,
        group="g",
        clock=lambda: 0.0,
        metrics=metrics,
        health=Health(),
        checkpoint_seconds=1e9,
        checkpoint_events=10**9,
    ).run(stop)
    assert len(dead_letters(log)) == 1
    counted = metrics.registry.get_sample_value(
        "prequel_rejected_total", {"service": processor.name, "reason": "no-good"}
    )
    assert counted == 5
