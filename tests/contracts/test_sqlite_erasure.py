"""Erased records of the embedded log keep their offsets, and leave no byte in any file, whatever their size."""

from contextlib import closing
from pathlib import Path

import pytest

from prequel.shared.log.base import Message, Record
from prequel.shared.log.erasable import ErasableLog, Remains
from prequel.shared.log.sqlite.log import SqliteLog


def redact(record: Record) -> Remains | None:
    return Remains((("left", b"1"),), b"rest") if b"erase" in record.value else None


@pytest.mark.parametrize("size", [10, 5_000, 40_000, 300_000])
def test_erased_bytes_are_in_no_file_and_offsets_stay(tmp_path: Path, size: int) -> None:
    secret, other = b"erase-" + b"S3CRET" * (size // 6 + 1), b"other-" + b"K3PT" * (size // 4 + 1)
    with closing(SqliteLog(tmp_path / "log")) as log:
        assert isinstance(log, ErasableLog)
        for number in range(12):
            log.append([Message("t", b"s", other if number % 3 else secret, (("h", b"S3CRET"),))])
        log.append([Message("t", b"s", other)])
        assert log.erase("t", 0, range(0, 6), mentioning=b"s", redact=redact) == 2
        assert log.erase("t", 0, range(6, 13), mentioning=b"nobody", redact=redact) == 0
        assert log.erase("t", 0, range(6, 13), mentioning=b"s", redact=redact) == 2
        scrub(log)
        content = b"".join(path.read_bytes() for path in (tmp_path / "log").glob("t.sqlite*"))
        assert content.count(b"erase-") == 0
        assert b"erase-" not in content
        assert (b"S3CRETS3CRET" in content, b"K3PTK3PT" in content) == (False, True)
        records = log.follow("t", {0: 0}).poll(100, 0)
        assert [record.offset for record in records] == list(range(13))
        assert [(r.value, r.headers) for r in records[::3]][:4] == [(b"rest", (("left", b"1"),))] * 4
        assert all(r.value == other for r in records if r.offset % 3)
        assert log.bounds("t")[0] == (0, 13)
        assert log.append([Message("t", b"s", b"x")])[0].offset == 13


def test_the_offset_of_an_erased_last_record_is_not_used_again(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log")) as log:
        log.append([Message("t", b"s", b"erase")])
        log.erase("t", 0, range(1), mentioning=b"s", redact=redact)
        assert log.append([Message("t", b"s", b"x")])[0].offset == 1


def scrub(log: SqliteLog) -> None:
    done = log.scrub("t", begin=True)
    while not done:
        done = log.scrub("t", begin=False)


def prune(log: SqliteLog, before: int) -> None:
    while log.pruning("t").delete_oldest(0, before):
        pass


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("t.sqlite*"))


@pytest.mark.parametrize("size", [10, 5_000, 40_000, 300_000, 5_000_000])
def test_scrubbing_overwrites_what_was_pruned_before(tmp_path: Path, size: int) -> None:
    """Retention deletes rows, and their bytes stay in free pages until something else takes their place."""
    secret, kept = b"S3CRET" * (size // 6 + 1), b"K3PT" * 500
    with closing(SqliteLog(tmp_path / "log")) as log:
        for value in [secret] * 8 + [kept] * 40:
            log.append([Message("t", b"s", value)])
        prune(log, 8)
        done = log.scrub("t", begin=True)
        while not done:
            assert list(log.read("t", 0, range(8, 48))), "others go on meanwhile"
            done = log.scrub("t", begin=False)
        content = files(tmp_path / "log")
        assert (b"S3CRET" in content, b"K3PTK3PT" in content) == (False, True)
        assert log.append([Message("t", b"s", secret)])[0].offset == 48
        assert b"S3CRET" in files(tmp_path / "log")
        assert [record.value for record in log.read("t", 0, range(49)).values()] == [kept] * 40 + [secret]


def test_scrubbing_goes_on_after_a_kill_at_any_step(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log")) as log:
        for _ in range(6):
            log.append([Message("t", b"s", b"S3CRET" * 10**6)])
        log.append([Message("t", b"s", b"kept")])
        prune(log, 6)
    for steps in range(1, 15, 3):
        with closing(SqliteLog(tmp_path / "log")) as log:
            for step in range(steps):
                log.scrub("t", begin=not step)
    with closing(SqliteLog(tmp_path / "log")) as log:
        scrub(log)
        assert b"S3CRET" not in files(tmp_path / "log")
        assert [record.value for record in log.read("t", 0, range(7)).values()] == [b"kept"]


def test_who_scrubs_in_turns_with_another_waits_for_what_was_begun_last(tmp_path: Path) -> None:
    """One has erased when the other's scrubbing was under way: only what begins after that covers it."""
    with closing(SqliteLog(tmp_path / "log")) as log:
        for _ in range(4):
            log.append([Message("t", b"s", b"F1RST" * 10**5)])
        for _ in range(4):
            log.append([Message("t", b"s", b"S3CRET" * 10**5)])
        log.append([Message("t", b"s", b"kept")])
        prune(log, 4)
        assert not log.scrub("t", begin=True)
        assert not log.scrub("t", begin=False)
        prune(log, 8)
        scrub(log)
        assert (b"F1RST" in files(tmp_path / "log"), b"S3CRET" in files(tmp_path / "log")) == (False, False)
