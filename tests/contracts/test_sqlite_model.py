"""The embedded log against a plain list per partition, under any sequence of appends, reads and reopenings."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from prequel.shared.log.base import Headers, Log, LogUnavailable, Message, Position, Reader, Record
from prequel.shared.log.partitioner import partition_for
from prequel.shared.log.sqlite.log import SqliteLog

keys = st.none() | st.binary(max_size=5)
headers = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=5), st.binary(max_size=5)), max_size=4)
contents = st.tuples(keys, st.binary(max_size=3000), headers.map(tuple), st.integers(-1, 2))


class LogMachine(RuleBasedStateMachine):
    readers = Bundle("readers")

    @initialize(partitions=st.integers(1, 3))
    def make(self, partitions: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.now = 0.0
        self.expected: list[list[tuple[bytes | None, bytes, Headers]]] = [[] for _ in range(partitions)]
        self.open: list[SqliteLog] = [self.handle(), self.handle()]

    def handle(self) -> SqliteLog:
        return SqliteLog(
            Path(self.folder.name), partitions=len(self.expected), clock=lambda: self.now, max_poll_bytes=4000
        )

    @rule(step=st.floats(-5, 5))
    def let_time_pass(self, step: float) -> None:
        self.now += step

    @rule(which=st.integers(0, 1), batch=st.lists(contents, max_size=6))
    def append(self, which: int, batch: list[tuple[bytes | None, bytes, Headers, int]]) -> None:
        count = len(self.expected)
        messages = [Message("t", k, v, h, p if 0 <= p < count else None) for k, v, h, p in batch]
        positions = self.open[which].append(messages)
        for message, (partition, offset) in zip(messages, positions, strict=True):
            if message.partition is not None:
                assert partition == message.partition
            elif message.key is not None:
                assert partition == partition_for(message.key, count)
            assert offset == len(self.expected[partition])
            self.expected[partition].append((message.key, message.value, message.headers))

    @rule(which=st.integers(0, 1), partition=st.integers(0, 2), offsets=st.lists(st.integers(0, 40)))
    def read(self, which: int, partition: int, offsets: list[int]) -> None:
        there = self.expected[partition] if partition < len(self.expected) else []
        records = self.open[which].read("t", partition, offsets)
        assert {offset: _content(record) for offset, record in records.items()} == {
            offset: there[offset] for offset in offsets if offset < len(there)
        }

    @rule(target=readers, which=st.integers(0, 1), starts=st.lists(st.floats(0, 1), min_size=3, max_size=3))
    def follow(self, which: int, starts: list[float]) -> tuple[SqliteLog, Reader]:
        positions = {p: round(starts[p] * len(records)) for p, records in enumerate(self.expected)}
        return self.open[which], self.open[which].follow("t", positions)

    @rule(opened=readers, max_records=st.integers(1, 20))
    def poll(self, opened: tuple[SqliteLog, Reader], max_records: int) -> None:
        log, reader = opened
        before = reader.positions()
        if log not in self.open:
            with pytest.raises(LogUnavailable):
                reader.poll(max_records, 0.0)
            return
        records = reader.poll(max_records, 0.0)
        assert len(records) <= max_records
        for record in records:
            assert record.offset == before[record.partition]
            before[record.partition] += 1
            assert _content(record) == self.expected[record.partition][record.offset]
        assert reader.positions() == before
        assert records or before == {p: len(there) for p, there in enumerate(self.expected)}

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.open[which].close()
        self.open[which] = self.handle()

    @invariant()
    def bounds_and_times_hold(self) -> None:
        log: Log = self.open[0]
        assert log.bounds("t") == {p: (0, len(there)) for p, there in enumerate(self.expected)}
        for partition, there in enumerate(self.expected):
            times = [record.appended_at for record in log.read("t", partition, range(len(there))).values()]
            assert times == sorted(times)

    def teardown(self) -> None:
        for log in self.open:
            log.close()
        self.folder.cleanup()


def _content(record: Record) -> tuple[bytes | None, bytes, Headers]:
    assert Position(record.partition, record.offset) >= (0, 0)
    return record.key, record.value, record.headers


TestLogMachine = LogMachine.TestCase
TestLogMachine.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
