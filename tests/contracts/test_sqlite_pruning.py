"""The embedded log while it is pruned: short steps, files that shrink, kill -9 and a full disk at any instant."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from prequel.shared.log.base import EXAMPLES, IMAGES, LogUnavailable, Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.log.sqlite.pruning import STEP_BYTES, STEP_RECORDS
from tests.contracts.full_disk import fill, fill_completely, write_until_refused
from tests.contracts.log_contract import messages
from tests.contracts.processes import worker

TIMEOUT_S = 60.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(tmp_path)) as log:
        yield log


def delete_all(log: SqliteLog, before: int) -> int:
    pruning, removed = log.pruning("t"), 0
    while count := pruning.delete_oldest(0, before):
        removed += count
    return removed


def shrink_all(log: SqliteLog) -> None:
    pruning = log.pruning("t")
    while pruning.shrink(0):
        pass
    pruning.truncate_wal()


def is_intact(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_step_is_bounded_in_records_and_bytes_and_takes_at_least_one(log: SqliteLog) -> None:
    log.append(messages("t", STEP_RECORDS + 10))
    log.append(messages("t", 3, size=STEP_BYTES // 2 + 1) + messages("t", 1, size=2 * STEP_BYTES) + messages("t", 5))
    pruning, end = log.pruning("t"), log.bounds("t")[0].end
    steps = []
    while count := pruning.delete_oldest(0, end):
        steps.append(count)
    assert steps == [STEP_RECORDS, 11, 1, 1, 1, 4]
    assert log.bounds("t")[0] == (end - 1, end), "the newest record stays: the next offset follows from it"
    assert log.append(messages("t", 1))[0].offset == end


def test_only_records_that_are_old_enough_are_deleted(tmp_path: Path) -> None:
    now = [100.0]
    with closing(SqliteLog(tmp_path, clock=lambda: now[0])) as log:
        for now[0] in (100.0, 200.0, 300.0):
            log.append(messages("t", 2))
        assert log.pruning("t").delete_oldest(0, 6, appended_before=200.0) == 2
        assert log.pruning("t").delete_oldest(0, 6, appended_before=200.0) == 0
        assert log.pruning("t").oldest() == {0: (2, 200.0)}


@pytest.mark.parametrize("size", [100, 8_000, 300_000])
def test_the_file_shrinks_and_what_stays_is_unchanged(log: SqliteLog, tmp_path: Path, size: int) -> None:
    values = [os.urandom(size) for _ in range(12_000_000 // size)]
    for start in range(0, len(values), 1_000):
        log.append([Message("t", b"k", value, (("h", b"1"),), 0) for value in values[start : start + 1_000]])
    first_kept = len(values) * 9 // 10
    before = log.sizes(["t"])["t"]
    assert delete_all(log, first_kept) == first_kept
    shrink_all(log)
    assert log.pruning("t").usage().free == 0
    assert log.sizes(["t"])["t"] < before / 4
    assert [log.read("t", 0, [n])[n].value for n in range(first_kept, len(values))] == values[first_kept:]
    log.close()
    assert is_intact(tmp_path / "t.sqlite")


def old_file(path: Path) -> None:
    """As Prequel made it before there was retention."""
    with closing(SqliteLog(path)) as log:
        log.append(messages("t", 200, size=50_000))
    with closing(sqlite3.connect(path / "t.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA auto_vacuum=NONE")
        connection.execute("VACUUM")


def test_a_file_of_an_earlier_version_reuses_its_pages_and_is_rewritten_when_nobody_has_it_open(tmp_path: Path) -> None:
    old_file(tmp_path)
    with closing(SqliteLog(tmp_path, busy_timeout_s=0.2)) as log:
        size = (tmp_path / "t.sqlite").stat().st_size
        assert not log.pruning("t").can_shrink()
        assert delete_all(log, 190) == 190
        assert log.pruning("t").shrink(0) == 0
        log.append(messages("t", 100, size=50_000))
        log.pruning("t").truncate_wal()
        assert (tmp_path / "t.sqlite").stat().st_size == size, "new records use the free pages"
        delete_all(log, 290)
        with closing(SqliteLog(tmp_path)) as other:
            reader = other.follow("t", {0: 290})
            assert len(reader.poll(100, 0.0)) == 10
            with pytest.raises(LogUnavailable):
                log.pruning("t").rewrite()
            assert not log.pruning("t").can_shrink()
        log.pruning("t").rewrite()
        assert log.pruning("t").can_shrink()
        assert (tmp_path / "t.sqlite").stat().st_size < size / 10
        assert log.bounds("t")[0] == (290, 300)
        log.append(messages("t", 1))
    assert is_intact(tmp_path / "t.sqlite")


def test_reading_and_appending_go_on_while_the_log_is_pruned(log: SqliteLog, tmp_path: Path) -> None:
    log.append(messages("t", 1_000, size=8_000))
    stop, seen = threading.Event(), list[int]()

    def prune() -> None:
        while not stop.is_set():
            log.pruning("t").delete_oldest(0, log.bounds("t")[0].end - 500)
            log.pruning("t").shrink(0)

    pruning = threading.Thread(target=prune)
    pruning.start()
    with closing(SqliteLog(tmp_path)) as other:
        reader = other.follow("t", {0: 1_000})
        for number in range(300):
            assert len((log, other)[number % 2].append(messages("t", 5, size=8_000))) == 5
            seen += [record.offset for record in reader.poll(100, 1.0)]
    stop.set()
    pruning.join(TIMEOUT_S)
    assert seen == list(range(1_000, 2_500))


OPENING = "from pathlib import Path\nfrom prequel.shared.log.sqlite.log import SqliteLog\nlog = SqliteLog(Path({!r}))"


def test_a_log_whose_pruning_was_killed_is_intact_and_pruning_goes_on(tmp_path: Path) -> None:
    for attempt, steps in enumerate([1, 2, 5, 9]):
        folder = tmp_path / str(attempt)
        with closing(SqliteLog(folder)) as log:
            for _ in range(10):
                log.append(messages("t", 200, size=8_000))
        with worker(OPENING.format(str(folder)), "prune", "t", 1_900) as pruning:
            for _ in range(steps):
                pruning.next_line(TIMEOUT_S)
            pruning.kill()
        with closing(SqliteLog(folder)) as log:
            begin, end = log.bounds("t")[0]
            assert 0 < begin <= 1_900
            assert end == 2_000
            assert sorted(log.read("t", 0, range(2_000))) == list(range(begin, end))
            with log.pruning_lock() as may_prune:
                assert may_prune, "the kernel releases the lock of a killed process"
            assert log.append(messages("t", 1))[0].offset == end
            delete_all(log, 1_900)
            shrink_all(log)
            assert log.bounds("t")[0] == (1_900, 2_001)
        assert is_intact(folder / "t.sqlite")


def test_before_the_disk_is_full_appends_are_refused_so_that_pruning_makes_room_for_more(
    small_disk: Path,
) -> None:
    """On the smallest disk too, and with nothing from outside: not a file deleted, not a process restarted."""
    log, acknowledged = SqliteLog(small_disk / "log"), dict[Position, bytes]()
    for _ in range(5):
        before = len(acknowledged)
        assert "must stay free so that old records can be pruned. Make room" in fill(log, acknowledged)
        assert len(acknowledged) >= before + 20
        assert shutil.disk_usage(small_disk).free > 0
        end = log.bounds("t")[0].end
        delete_all(log, end)
        assert log.bounds("t")[0] == (end - 1, end)
        log.pruning("t").truncate_wal()
        shrink_all(log)
    before = len(acknowledged)
    fill(log, acknowledged)
    records = log.read("t", 0, [position.offset for position in acknowledged])
    begin = log.bounds("t")[0].begin
    assert len(acknowledged) > before
    assert {Position(0, n): record.value for n, record in records.items()} == {
        at: value for at, value in acknowledged.items() if at.offset >= begin
    }
    log.close()
    assert is_intact(small_disk / "log" / "t.sqlite")


def test_a_disk_that_others_filled_to_the_last_byte_is_used_again_when_they_make_room(
    small_disk: Path,
) -> None:
    log, acknowledged = SqliteLog(small_disk / "log"), dict[Position, bytes]()
    log.append([Message("t", None, bytes(8_000))])
    fill_completely(small_disk)
    for _ in range(2):
        with pytest.raises(LogUnavailable, match="Make room"):
            log.append([Message("t", None, bytes(8_000))])
    assert log.bounds("t")[0] == (0, 1)
    (small_disk / "ballast").unlink()
    fill(log, acknowledged)
    assert len(acknowledged) >= 20
    log.close()


def test_images_are_refused_first_so_that_stored_ones_can_still_be_processed(small_disk: Path) -> None:
    with closing(SqliteLog(small_disk / "log")) as log:
        write_until_refused(LogUnavailable, lambda _: log.append([Message(IMAGES, None, bytes(20_000))]))
        write_until_refused(LogUnavailable, lambda _: log.append([Message(EXAMPLES, None, bytes(20_000))]))
        assert log.bounds(EXAMPLES)[0].end >= 2
        with closing(log.join("g", IMAGES)) as member:
            member.poll(1, 0.0)
            assert member.commit({0: 1})
