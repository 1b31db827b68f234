"""The embedded log keeps the contract of the log, and what it promises besides."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prequel.shared.log.base import Log, LogUnavailable, Message, OffsetOutOfRange
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.log.sqlite.pruning import FilePruning
from prequel.shared.log.sqlite.topic import Topic
from prequel.shared.sqlite.database import Database, FileFormat
from tests.contracts.group_contract import GroupContract
from tests.contracts.log_contract import LogContract, MakeLog, Opening, messages


@pytest.fixture
def timeout_s() -> float:
    return 60.0


@pytest.fixture
def too_large() -> int:
    return 2**20 + 1


@pytest.fixture
def make_log(tmp_path: Path) -> Iterator[MakeLog]:
    opened: list[Log] = []

    def make(partitions: dict[str, int]) -> Log:
        opened.append(SqliteLog(tmp_path / "log", partitions=partitions, lease_s=1.0, max_record_bytes=2**20))
        return opened[-1]

    yield make
    for log in opened:
        log.close()


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    return lambda partitions: (
        "from pathlib import Path\nfrom prequel.shared.log.sqlite.log import SqliteLog\n"
        f"log = SqliteLog(Path({str(tmp_path / 'log')!r}), partitions={partitions!r}, lease_s=1.0)"
    )


@pytest.fixture
def expire(tmp_path: Path) -> Callable[[str, int, int], None]:
    def delete(topic: str, partition: int, before: int) -> None:
        path = tmp_path / "log" / f"{topic}.sqlite"
        database = Database(path, FileFormat("PQlg", 1, ()), error=LogUnavailable)
        pruning = FilePruning(database, partition + 1, threading.Lock())
        while pruning.delete_oldest(partition, before, max_bytes=1) or pruning.shrink(0):
            pass
        database.close()

    return delete


class TestSqliteLog(LogContract):
    pass


class TestSqliteGroups(GroupContract):
    pass


class Clock:
    """A clock that the test sets; counts how often it is read."""

    def __init__(self) -> None:
        self.now, self.reads = 1000.0, 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now


def test_the_time_of_appending_stands_still_while_the_clock_goes_back(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path, partitions=2, clock=clock)
    for clock.now in (1000.0, 900.0, 1000.5):
        log.append(messages("t", 1))
    clock.now = 900.0
    log.append(messages("t", 1, partition=1))
    assert [log.read("t", 0, [n])[n].appended_at for n in range(3)] == [1000.0, 1000.0, 1000.5]
    assert log.read("t", 1, [0])[0].appended_at == 900.0
    log.close()


def test_offsets_have_no_gaps_and_messages_without_a_key_go_to_the_smallest_partition(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, partitions={"t": 3})
    log.append(messages("t", 2, partition=1))
    positions = log.append([Message("t", None, b"")] * 7)
    assert positions == [(0, 0), (2, 0), (0, 1), (2, 1), (0, 2), (1, 2), (2, 2)]
    assert log.bounds("t") == {0: (0, 3), 1: (0, 3), 2: (0, 3)}
    assert log.partitions("another") == 1
    log.close()


def test_threads_that_append_together_share_transactions(tmp_path: Path) -> None:
    """The first transaction waits until all others have come: these then need at most one each, and share some."""
    gate, arrived = threading.Event(), threading.Semaphore(0)
    clock_reads: list[int] = []

    def clock() -> float:
        clock_reads.append(1)
        gate.wait(60)
        return 0.0

    log = SqliteLog(tmp_path, clock=clock)

    def append() -> None:
        log.partitions("t")
        arrived.release()
        log.append(messages("t", 1))

    threads = [threading.Thread(target=append) for _ in range(30)]
    for thread in threads:
        thread.start()
        arrived.acquire(timeout=60)
    gate.set()
    for thread in threads:
        thread.join(60)
    assert log.bounds("t")[0].end == 30
    assert len(clock_reads) < 15
    log.close()


def test_a_poll_is_bounded_by_bytes_but_returns_one_record_of_any_size(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, partitions=2, max_poll_bytes=10_000)
    sizes = [4000, 4000, 4000, 50_000, 50_000, 10, 10]
    log.append([Message("t", None, bytes(size), (), 0) for size in sizes])
    log.append([Message("t", None, bytes(50_000), (), 1)])
    reader = log.follow("t", {0: 0})
    polls = []
    while records := reader.poll(100, 0.0):
        polls.append([len(record.value) for record in records])
    assert polls == [[4000, 4000, 4000], [50_000], [50_000], [10, 10]]
    both = log.follow("t", {0: 3, 1: 0})
    assert sorted(len(both.poll(100, 0.0)) for _ in range(4)) == [1, 1, 1, 2]
    log.close()


def test_closing_the_log_ends_a_wait_with_an_error(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    reader, member = log.follow("t", {0: 0}), log.join("g", "t")
    member.poll(1, 0.0)
    waits: list[Callable[[], object]] = [lambda: reader.poll(1, 300.0), lambda: member.poll(1, 300.0)]
    ended: list[str] = []

    def wait(poll: Callable[[], object]) -> None:
        with pytest.raises(LogUnavailable) as raised:
            poll()
        ended.append(str(raised.value))

    threads = [threading.Thread(target=wait, args=(poll,)) for poll in waits]
    for thread in threads:
        thread.start()
    log.close()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 2
    assert all("closed" in message for message in ended)


def test_an_append_and_closing_wake_threads_that_wait(tmp_path: Path) -> None:
    topic = Topic("t", tmp_path / "t.sqlite", 1, clock=Clock(), busy_timeout_s=1.0)
    topic.open()
    for act in (lambda: topic.append([topic.encode(Message("t", None, b""))]), topic.close):
        waiting = threading.Thread(target=topic.wakeup.wait, args=(topic.wakeup.count, 300.0))
        waiting.start()
        act()
        waiting.join(60)
        assert not waiting.is_alive()


def test_a_closed_reader_or_member_raises(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    for opened in (log.follow("t", {0: 0}), log.join("g", "t")):
        opened.poll(1, 0.0)
        opened.close()
        opened.close()
        with pytest.raises(LogUnavailable, match="closed"):
            opened.poll(1, 0.0)
    log.close()


def test_a_reader_that_retention_overtakes_gets_an_error(
    make_log: MakeLog, expire: Callable[[str, int, int], None]
) -> None:
    log = make_log({"t": 1})
    log.append(messages("t", 10))
    reader = log.follow("t", {0: 0})
    assert len(reader.poll(3, 0.0)) == 3
    expire("t", 0, 6)
    with pytest.raises(OffsetOutOfRange) as raised:
        reader.poll(3, 0.0)
    assert (raised.value.offset, raised.value.begin, raised.value.end) == (3, 6, 10)


@pytest.mark.parametrize("name", ["", "..", "../t", "a/b", "_groups", "a b", "t\n", "x" * 300])
def test_a_topic_that_cannot_be_a_file_is_refused(tmp_path: Path, name: str) -> None:
    log = SqliteLog(tmp_path / "log")
    with pytest.raises(ValueError, match="topic name"):
        log.append([Message(name, None, b"")])
    assert not (tmp_path / "log").exists()


def test_a_partition_that_the_topic_does_not_have_is_refused(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, partitions=2)
    for partition in (-1, 2):
        with pytest.raises(ValueError, match="partitions 0 to 1"):
            log.append([*messages("t", 1), Message("t", None, b"", (), partition)])
        with pytest.raises(OffsetOutOfRange):
            log.follow("t", {partition: 0}).poll(1, 0.0)
        assert log.read("t", partition, [0]) == {}
    assert log.read("t", 0, [2**63, 10**30]) == {}
    with pytest.raises(OffsetOutOfRange):
        log.follow("t", {0: 10**30}).poll(1, 0.0)
    assert log.bounds("t")[0].end == 0
    log.close()


@pytest.mark.parametrize(("appends", "size"), [(100, 1_000_000), (1500, 10)])
def test_the_write_ahead_log_stays_small_while_somebody_reads(tmp_path: Path, appends: int, size: int) -> None:
    log = SqliteLog(tmp_path)
    reader = log.follow("t", {0: 0})
    for _ in range(appends):
        log.append(messages("t", 1, size=size))
        reader.poll(5, 0.0)
        assert (tmp_path / "t.sqlite-wal").stat().st_size < 40 * 2**20
    log.close()


def test_damaged_headers_are_reported(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    for damage in (b"", b"[]\n1s\n", b"[\n\n", b"7\n\n", b'["a"]\n\n'):
        (position,) = log.append(messages("t", 1))
        database = Database(tmp_path / "t.sqlite", FileFormat("PQlg", 1, ()), error=LogUnavailable)
        with database.writing() as connection:
            connection.execute("UPDATE p0 SET headers = ? WHERE offset = ?", (damage, position.offset))
        database.close()
        with pytest.raises(LogUnavailable, match="damaged"):
            log.read("t", 0, [position.offset])
        with pytest.raises(LogUnavailable, match="damaged"):
            log.follow("t", {0: position.offset}).poll(1, 0.0)
    log.close()
