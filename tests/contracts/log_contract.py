"""What every log promises (shared.log.base): appending, reading by position, following, several threads and processes.

A test module runs it by ``class TestSomeLog(LogContract)`` and these fixtures of its own:

- ``make_log(partitions: dict[str, int]) -> Log``: a new handle, as another process would have one, to one and the
  same log, in which those topics exist with so many partitions; the fixture closes it at the end, with its readers
  and members that are still open;
- ``opening(partitions: dict[str, int]) -> str``: Python source that binds ``log`` to such a handle in another process;
- ``timeout_s: float``: seconds within which what the tests wait for must happen;
- ``too_large: int``: bytes of a value that the log refuses;
- ``expire(topic: str, partition: int, before: int) -> None``: does what retention does to all records below ``before``.
"""

import threading
import time
import uuid
from collections.abc import Callable, Sequence

import pytest

from prequel.shared.log.base import (
    Headers,
    Log,
    LogUnavailable,
    Message,
    OffsetOutOfRange,
    Position,
    Reader,
    Record,
    RecordTooLarge,
)
from prequel.shared.log.partitioner import partition_for
from tests.contracts.processes import worker

MakeLog = Callable[[dict[str, int]], Log]
Opening = Callable[[dict[str, int]], str]

CONTENTS: list[tuple[bytes | None, bytes, Headers]] = [
    (None, b"value", ()),
    (b"", b"value", ()),
    (b"key", b"", ()),
    (None, b"", (("h", b""),)),
    (b"\x00\xff\n", b"\n\x00,;\xff" * 50, (("h", b"\x00\n\xff"), ("h", b"again"), ("a", b"order"), ("h", b"again"))),
    (b"k" * 5000, b"v", tuple((f"ce_{n}", bytes([n]) * n) for n in range(60))),
    ("schlüssel".encode(), b"v", (("größe ✓", "✓".encode()), ("with space", b"1"), ("line\nbreak", b"2"))),
    (b"k", bytes(range(256)) * 3000, (("content-type", b"image/png"),)),
]


def messages(topic: str, count: int, *, partition: int = 0, name: str = "m", size: int = 0) -> list[Message]:
    return [Message(topic, None, f"{name}{n}".encode() + bytes(size), (), partition) for n in range(count)]


def values(records: Sequence[Record]) -> list[bytes]:
    return [record.value for record in records]


def collect(reader: Reader, count: int, within_s: float, max_records: int = 1000) -> list[Record]:
    """At least ``count`` records, however many polls that takes."""
    records: list[Record] = []
    deadline = time.monotonic() + within_s
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records within {within_s} s"
        polled = reader.poll(max_records, 0.5)
        assert len(polled) <= max_records
        records += polled
    return records


class LogContract:
    @pytest.fixture
    def topic(self) -> str:
        return f"t-{uuid.uuid4().hex[:12]}"

    # Appending.

    @pytest.mark.parametrize(("key", "value", "headers"), CONTENTS)
    def test_a_record_is_what_was_appended_byte_for_byte(
        self, make_log: MakeLog, topic: str, timeout_s: float, key: bytes | None, value: bytes, headers: Headers
    ) -> None:
        log = make_log({topic: 1})
        (position,) = log.append([Message(topic, key, value, headers)])
        (record,) = collect(log.follow(topic, {0: position.offset}), 1, timeout_s)
        assert record[:6] == (topic, 0, position.offset, key, value, headers)
        assert log.read(topic, 0, [position.offset]) == {position.offset: record}

    def test_positions_are_in_the_order_of_the_messages(self, make_log: MakeLog, topic: str) -> None:
        log = make_log({topic: 3})
        sent = [Message(topic, None, b"%d" % n, (), (7 * n) % 3) for n in range(50)]
        positions = log.append(sent)
        assert [position.partition for position in positions] == [message.partition for message in sent]
        for message, (partition, offset) in zip(sent, positions, strict=True):
            assert log.read(topic, partition, [offset])[offset].value == message.value
        for partition in range(3):
            own = [position.offset for position in positions if position.partition == partition]
            assert own == sorted(set(own))

    def test_later_appends_get_larger_offsets(self, make_log: MakeLog, topic: str) -> None:
        log = make_log({topic: 1})
        offsets = [log.append([Message(topic, b"k", b"%d" % n)])[0].offset for n in range(20)]
        assert offsets == sorted(set(offsets))

    def test_the_key_decides_the_partition(self, make_log: MakeLog, topic: str) -> None:
        log = make_log({topic: 4})
        keys = [f"stream-{n}".encode() for n in range(40)]
        positions = log.append([Message(topic, key, b"") for key in keys])
        assert [position.partition for position in positions] == [partition_for(key, 4) for key in keys]

    def test_a_named_partition_wins_over_the_key(self, make_log: MakeLog, topic: str) -> None:
        log = make_log({topic: 4})
        positions = log.append([Message(topic, b"pets", b"", (), partition) for partition in range(4)])
        assert [position.partition for position in positions] == [0, 1, 2, 3]

    def test_without_a_key_messages_spread_evenly(self, make_log: MakeLog, topic: str) -> None:
        log = make_log({topic: 4})
        positions = [position for _ in range(20) for position in log.append([Message(topic, None, b"")] * 20)]
        for partition in range(4):
            assert 50 <= sum(position.partition == partition for position in positions) <= 150

    def test_one_call_may_name_several_topics(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        other = topic + "-other"
        log = make_log({topic: 1, other: 1})
        names = [topic, other, other, topic, other]
        positions = log.append([Message(name, b"k", b"%d" % n) for n, name in enumerate(names)])
        for name, numbers in ((topic, [0, 3]), (other, [1, 2, 4])):
            records = collect(log.follow(name, {0: positions[numbers[0]].offset}), len(numbers), timeout_s)
            assert values(records) == [b"%d" % n for n in numbers]
            assert [record.offset for record in records] == [positions[n].offset for n in numbers]

    def test_nothing_appended_is_no_error(self, make_log: MakeLog, topic: str) -> None:
        assert make_log({topic: 1}).append([]) == []

    def test_the_log_sets_the_time_of_appending_which_never_goes_back(
        self, make_log: MakeLog, topic: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 1})
        for message in messages(topic, 20):
            log.append([message])
        times = [record.appended_at for record in collect(log.follow(topic, {0: 0}), 20, timeout_s)]
        assert times == sorted(times)
        assert abs(times[0] - time.time()) < 3600

    def test_a_record_too_large_is_refused_with_the_rest_of_its_append(
        self, make_log: MakeLog, topic: str, too_large: int, timeout_s: float
    ) -> None:
        log = make_log({topic: 1})
        (before,) = log.append(messages(topic, 1, name="before"))
        with pytest.raises(RecordTooLarge):
            log.append([*messages(topic, 3, name="with"), Message(topic, None, bytes(too_large))])
        log.append(messages(topic, 1, name="after"))
        assert values(collect(log.follow(topic, {0: before.offset}), 2, timeout_s)) == [b"before0", b"after0"]

    # Reading by position.

    def test_bounds_cover_what_was_appended(self, make_log: MakeLog, topic: str) -> None:
        log = make_log({topic: 3})
        assert log.partitions(topic) == 3
        assert {partition: end - begin for partition, (begin, end) in log.bounds(topic).items()} == {0: 0, 1: 0, 2: 0}
        positions = log.append(messages(topic, 5, partition=1))
        begin, end = log.bounds(topic)[1]
        assert begin <= positions[0].offset
        assert end > positions[-1].offset
        assert log.bounds(topic)[0].begin == log.bounds(topic)[0].end

    def test_single_records_are_read_by_position_in_any_order(self, make_log: MakeLog, topic: str) -> None:
        log = make_log({topic: 2})
        positions = log.append(messages(topic, 1000, partition=1))
        expected = {positions[n].offset: b"m%d" % n for n in [*range(999, 0, -7), 5, 0, 999]}
        offsets = [*expected, *expected]
        records = log.read(topic, 1, offsets)
        assert {offset: record.value for offset, record in records.items()} == expected
        assert all(Position(record.partition, record.offset) == (1, offset) for offset, record in records.items())

    def test_an_offset_without_a_record_is_missing_from_the_answer(self, make_log: MakeLog, topic: str) -> None:
        log = make_log({topic: 2})
        (position,) = log.append(messages(topic, 1))
        assert log.read(topic, 0, []) == {}
        assert log.read(topic, 1, [0, 1]) == {}
        assert list(log.read(topic, 0, [position.offset, position.offset + 10, 10**12, -1])) == [position.offset]

    @pytest.mark.parametrize("partition", [2, 99, 2**31, 2**63])
    def test_a_partition_that_does_not_exist_has_no_records(
        self, make_log: MakeLog, topic: str, partition: int
    ) -> None:
        log = make_log({topic: 2})
        (position,) = log.append(messages(topic, 1))
        assert log.read(topic, partition, [0, 1, 10**6]) == {}
        assert list(log.read(topic, 0, [position.offset])) == [position.offset]

    @pytest.mark.parametrize("offset", [2**31, 2**63 - 1, 2**63, 2**64, 10**40])
    def test_an_offset_that_no_log_reaches_has_no_record(self, make_log: MakeLog, topic: str, offset: int) -> None:
        log = make_log({topic: 1})
        (position,) = log.append(messages(topic, 1))
        assert log.read(topic, 0, [offset]) == {}
        assert list(log.read(topic, 0, [position.offset, offset])) == [position.offset]

    def test_what_retention_removed_is_missing_from_the_answer(
        self, make_log: MakeLog, topic: str, expire: Callable[[str, int, int], None]
    ) -> None:
        log = make_log({topic: 1})
        positions = [log.append(messages(topic, 1, name=f"{n}."))[0].offset for n in range(10)]
        expire(topic, 0, positions[6])
        assert log.bounds(topic)[0].begin == positions[6]
        assert list(log.read(topic, 0, positions)) == positions[6:]

    # Following.

    def test_a_reader_returns_all_in_order_in_polls_of_any_size(
        self, make_log: MakeLog, topic: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 1})
        sent = messages(topic, 100)
        first = log.append(sent)[0].offset
        reader = log.follow(topic, {0: first})
        records = collect(reader, 1, timeout_s, max_records=1) + collect(reader, 99, timeout_s, max_records=7)
        assert values(records) == [message.value for message in sent]
        assert [record.offset for record in records] == sorted({record.offset for record in records})

    def test_positions_are_next_to_read(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 2})
        first = log.append(messages(topic, 10))[0].offset
        reader = log.follow(topic, {0: first, 1: log.bounds(topic)[1].end})
        assert reader.positions()[0] == first
        read = collect(reader, 4, timeout_s, max_records=4)
        assert reader.positions()[0] > read[-1].offset
        rest = collect(log.follow(topic, reader.positions()), 6, timeout_s)
        assert values(read + rest) == [b"m%d" % n for n in range(10)]

    def test_a_reader_begins_at_its_position(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 1})
        positions = log.append(messages(topic, 10))
        assert values(collect(log.follow(topic, {0: positions[7].offset}), 3, timeout_s)) == [b"m7", b"m8", b"m9"]

    def test_a_reader_reads_its_partitions_and_no_others(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 3})
        starts = {p: log.append(messages(topic, 30, partition=p, name=f"p{p}."))[0].offset for p in range(3)}
        reader = log.follow(topic, {0: starts[0], 2: starts[2]})
        records = collect(reader, 60, timeout_s, max_records=13)
        for partition in (0, 2):
            own = [record.value for record in records if record.partition == partition]
            assert own == [f"p{partition}.{n}".encode() for n in range(30)]
        assert len(records) == 60
        assert set(reader.positions()) == {0, 2}

    def test_no_partition_starves(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 2})
        starts = {p: log.append(messages(topic, 300, partition=p))[0].offset for p in range(2)}
        records = collect(log.follow(topic, starts), 400, timeout_s, max_records=20)
        assert {record.partition for record in records} == {0, 1}

    def test_readers_do_not_disturb_each_other(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 1})
        first = log.append(messages(topic, 10))[0].offset
        one, other = log.follow(topic, {0: first}), log.follow(topic, {0: first})
        assert values(collect(one, 10, timeout_s)) == values(collect(other, 10, timeout_s))
        one.close()
        log.append(messages(topic, 1, name="after"))
        assert values(collect(other, 1, timeout_s)) == [b"after0"]

    def test_a_poll_with_nothing_to_read_returns_nothing(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 1})
        reader = log.follow(topic, {0: log.bounds(topic)[0].end})
        began = time.monotonic()
        assert reader.poll(10, 0.2) == []
        assert reader.poll(10, 0.0) == []
        assert time.monotonic() - began < timeout_s

    def test_a_waiting_reader_is_woken_by_another_thread_and_another_handle(
        self, make_log: MakeLog, topic: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 1})
        reader = log.follow(topic, {0: log.bounds(topic)[0].end})
        for appender in (log, make_log({topic: 1})):
            records: list[Record] = []
            waiting = threading.Thread(target=lambda records=records: records.extend(reader.poll(10, 10 * timeout_s)))
            waiting.start()
            appender.append(messages(topic, 1))
            waiting.join(timeout_s)
            assert values(records) == [b"m0"]

    def test_large_values_are_read_whole_and_in_order(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 1})
        first = log.append(messages(topic, 1, name="first"))[0].offset
        sent = [bytes([n]) * (400_000 + n) for n in range(20)]
        for value in sent:
            log.append([Message(topic, b"k", value)])
        assert values(collect(log.follow(topic, {0: first}), 21, timeout_s))[1:] == sent

    # Positions outside the log's bounds.

    def test_a_position_past_the_end_is_out_of_range(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 1})
        log.append(messages(topic, 3))
        begin, end = log.bounds(topic)[0]
        with pytest.raises(OffsetOutOfRange) as raised:
            collect(log.follow(topic, {0: end + 1000}), 1, timeout_s)
        error = raised.value
        assert (error.topic, error.partition, error.offset) == (topic, 0, end + 1000)
        assert (error.begin, error.end) == (begin, end)

    def test_a_position_that_retention_removed_is_out_of_range(
        self, make_log: MakeLog, topic: str, timeout_s: float, expire: Callable[[str, int, int], None]
    ) -> None:
        log = make_log({topic: 1})
        positions = [log.append(messages(topic, 1, name=f"{n}."))[0].offset for n in range(10)]
        expire(topic, 0, positions[6])
        with pytest.raises(OffsetOutOfRange) as raised:
            collect(log.follow(topic, {0: positions[2]}), 1, timeout_s)
        assert (raised.value.offset, raised.value.begin) == (positions[2], positions[6])
        assert len(collect(log.follow(topic, {0: positions[6]}), 4, timeout_s)) == 4

    def test_offsets_continue_after_retention_has_removed_all_that_it_may(
        self, make_log: MakeLog, topic: str, timeout_s: float, expire: Callable[[str, int, int], None]
    ) -> None:
        log = make_log({topic: 1})
        log.append(messages(topic, 5))
        end = log.bounds(topic)[0].end
        expire(topic, 0, end)
        begin, after = log.bounds(topic)[0]
        assert after == end
        assert begin in (end, end - 1), "a log may keep the newest record"
        assert log.lag("nobody", topic) == {0: end - begin}
        (position,) = log.append(messages(topic, 1, name="new"))
        assert position.offset == end
        assert values(collect(log.follow(topic, {0: end}), 1, timeout_s)) == [b"new0"]

    def test_the_end_itself_is_in_range(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 1})
        log.append(messages(topic, 3))
        reader = log.follow(topic, {0: log.bounds(topic)[0].end})
        assert reader.poll(10, 0.05) == []
        log.append(messages(topic, 1, name="new"))
        assert values(collect(reader, 1, timeout_s)) == [b"new0"]

    # Several threads, handles and processes.

    def test_what_several_threads_append_is_there_once_and_in_each_threads_order(
        self, make_log: MakeLog, topic: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 1})
        start = log.bounds(topic)[0].end
        acknowledged: dict[Position, bytes] = {}

        def append(name: str) -> None:
            for n in range(40):
                batch = messages(topic, 3, name=f"{name}.{n}.")
                acknowledged.update(zip(log.append(batch), [m.value for m in batch], strict=True))

        threads = [threading.Thread(target=append, args=(f"thread{t}",)) for t in range(8)]
        for thread in threads:
            thread.start()
        records = collect(log.follow(topic, {0: start}), 8 * 40 * 3, timeout_s)
        for thread in threads:
            thread.join()
        assert {Position(r.partition, r.offset): r.value for r in records} == acknowledged
        assert len(records) == len(acknowledged) == 8 * 40 * 3
        for t in range(8):
            own = [record.value for record in records if record.value.startswith(b"thread%d." % t)]
            assert own == [b"thread%d.%d.%d" % (t, n, m) for n in range(40) for m in range(3)]

    def test_processes_append_and_read_one_log(
        self, make_log: MakeLog, opening: Opening, topic: str, timeout_s: float
    ) -> None:
        log, source = make_log({topic: 1}), opening({topic: 1})
        start = log.bounds(topic)[0].end
        reader = log.follow(topic, {0: start})
        with worker(source, "follow", topic, 600) as following:
            assert following.next_line(timeout_s) == ["ready"]
            with (
                worker(source, "append", topic, "a", 300, 10, 0) as a,
                worker(source, "append", topic, "b", 300, 1, 0) as b,
            ):
                read_here = [(r.offset, r.value.decode()) for r in collect(reader, 600, 3 * timeout_s)]
                assert len(a.remaining_lines(timeout_s)) == 30
                assert len(b.remaining_lines(timeout_s)) == 300
            read_there = [tuple(line) for line in following.remaining_lines(timeout_s)]
        assert read_here == read_there
        for name in "ab":
            assert [value for _, value in read_here if value[0] == name] == [f"{name}:{n}:" for n in range(300)]

    def test_acknowledged_appends_survive_a_killed_process(
        self, make_log: MakeLog, opening: Opening, topic: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 1})
        start = log.bounds(topic)[0].end
        reader = log.follow(topic, {0: start})
        for attempt, batches in enumerate([1, 7, 30]):
            with worker(opening({topic: 1}), "append", topic, f"w{attempt}", 10**6, 10, 3000) as appending:
                for _ in range(batches):
                    appending.next_line(timeout_s)
                appending.kill()
                last = max([line[0] for line in appending.remaining_lines(timeout_s)], default=batches * 10 - 1)
            mark = log.append(messages(topic, 1, name="mark"))[0].offset
            records: list[Record] = []
            while not records or records[-1].offset < mark:
                records += collect(reader, 1, timeout_s)
            appended = [record.value.rstrip(b"\0").decode() for record in records[:-1]]
            assert appended == [f"w{attempt}:{n}:" for n in range(len(appended))]
            assert len(appended) > last

    # The end.

    def test_after_close_every_call_raises(self, make_log: MakeLog, topic: str) -> None:
        log = make_log({topic: 1})
        log.append(messages(topic, 1))
        log.close()
        log.close()
        for call in (
            lambda: log.append(messages(topic, 1)),
            lambda: log.bounds(topic),
            lambda: log.partitions(topic),
            lambda: log.read(topic, 0, [0]),
        ):
            with pytest.raises(LogUnavailable):
                call()

    def test_what_was_appended_outlives_the_handle(self, make_log: MakeLog, topic: str, timeout_s: float) -> None:
        log = make_log({topic: 1})
        first = log.append(messages(topic, 5))[0].offset
        log.close()
        assert len(collect(make_log({topic: 1}).follow(topic, {0: first}), 5, timeout_s)) == 5
