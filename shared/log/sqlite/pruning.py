"""Deletes the oldest records of one topic's file in short transactions, and gives the room back to the disk."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from prequel.shared.sqlite.database import Connection, Database

STEP_BYTES = 4 * 2**20
"""Of values that one transaction deletes: a few milliseconds of work on a slow machine, which an append may have to
wait for. Half as much is twice as many syncs of the disk; twice as much is a wait that somebody notices."""

STEP_RECORDS = 500
"""The same where records are tiny: each costs a look into the tree."""

STEP_PAGES = 32
"""Moved from the end of the file into free places by one transaction: 1 MiB, each with the pages that point to it."""

STEP_PART = 4
"""A step deletes or moves no more than this part of the disk's free room: pages that others point to are written too,
and all of them twice, into the WAL and into the file."""

STEP_COST_BYTES = 2**20
"""What a step is assumed to write, when it is decided whether the WAL has to be copied into the file. Steps write a few
hundred KiB to some MiB; assuming nothing would let the WAL grow while a large log is pruned."""

INCREMENTAL = 2
"""What the pragma auto_vacuum answers for a file that can shrink."""


class FileUsage(NamedTuple):
    """A topic's file in bytes: all of it, and what in it is free for new records."""

    total: int
    free: int

    @property
    def used(self) -> int:
        return self.total - self.free


class FilePruning:
    """Thread-safe. Every method may block for one short transaction; raises LogUnavailable.

    The newest record of a partition is never deleted: its offset says which one comes next.

    To prune a topic, in this order: ``delete_oldest`` until it returns 0; ``truncate_wal``, which on a full disk is
    what makes the room that shrinking needs; ``shrink`` until it returns 0; ``truncate_wal``, before which the file
    has its old size.
    """

    def __init__(self, database: Database, partitions: int, writer: threading.Lock) -> None:
        """``writer`` is the lock of whoever appends in this process: it is fairer than SQLite's own, which polls."""
        self._database, self._partitions, self._writer = database, partitions, writer

    def usage(self) -> FileUsage:
        with self._database.reading() as connection:
            return _usage(connection)

    def oldest(self) -> dict[int, tuple[int, float]]:
        """Partition -> offset of its oldest record and when that was appended; empty partitions are left out."""
        query = "SELECT offset, appended_at FROM p{} ORDER BY offset LIMIT 1"
        with self._database.reading() as connection:
            rows = {p: connection.execute(query.format(p)).fetchone() for p in range(self._partitions)}
        return {partition: row for partition, row in rows.items() if row}

    def delete_oldest(
        self,
        partition: int,
        before: int,
        *,
        appended_before: float = float("inf"),
        max_bytes: int = STEP_BYTES,
    ) -> int:
        """Delete records below offset ``before`` that were appended earlier than ``appended_before`` (epoch seconds).

        One step: about ``max_bytes`` and STEP_RECORDS at most, but at least one record if there is one. Returns how
        many; 0 where nothing is left to delete.
        """
        max_bytes = min(
            max_bytes, self._database.disk_space().free // STEP_PART
        )  # Smaller steps on a disk nearly full.
        with self._step() as connection:
            last = _last_deletable(connection, partition, before, appended_before=appended_before, max_bytes=max_bytes)
            if last is None:
                return 0
            deleted = connection.execute(f"DELETE FROM p{partition} WHERE offset <= ?", (last,))
            return deleted.rowcount

    def shrink(self, keep_free: int) -> int:
        """Give some of the file's free bytes beyond ``keep_free`` back to the disk; returns how many, 0 at the end.

        A file that an earlier Prequel made gives nothing back (see ``can_shrink``).
        """
        with self._step() as connection:
            before = _usage(connection)
            page = _pragma(connection, "page_size")
            affordable = max(1, self._database.disk_space().free // (STEP_PART * page))
            pages = min(STEP_PAGES, (before.free - keep_free) // page, affordable)
            if pages > 0:
                connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()  # A page a row: fetch all of them.
            return before.total - _usage(connection).total

    def disk_is_scarce(self) -> bool:
        """Whether the disk is nearly full."""
        return self._database.disk_space().scarce

    def can_shrink(self) -> bool:
        """Whether the file was created so that free pages can be given back: not by Prequel 0.1."""
        with self._database.reading() as connection:
            return _pragma(connection, "auto_vacuum") == INCREMENTAL

    def truncate_wal(self) -> None:
        """Copy from the WAL into the file what was done, whose size then is what ``usage`` says."""
        with self._writer:
            self._database.truncate_wal()

    def rewrite(self) -> None:
        """Make the file one that can shrink. Long, takes as much room again, and raises LogUnavailable while in use."""
        with self._writer:
            self._database.rewrite()

    @contextmanager
    def _step(self) -> Iterator[Connection]:
        with self._writer, self._database.writing(STEP_COST_BYTES) as connection:
            yield connection


def _last_deletable(
    connection: Connection, partition: int, before: int, *, appended_before: float, max_bytes: int
) -> int | None:
    """The offset of the last record that one step may delete, None where there is none."""
    query = (
        f"SELECT offset, length(value) + length(headers) FROM p{partition} WHERE offset < ?"
        f" AND offset < (SELECT max(offset) FROM p{partition}) AND appended_at < ? ORDER BY offset LIMIT ?"
    )
    last = None
    for offset, size in connection.execute(query, (before, appended_before, STEP_RECORDS)).fetchall():
        if last is not None and max_bytes < size:
            break
        last, max_bytes = offset, max_bytes - size
    return last


def _usage(connection: Connection) -> FileUsage:
    page = _pragma(connection, "page_size")
    return FileUsage(page * _pragma(connection, "page_count"), page * _pragma(connection, "freelist_count"))


def _pragma(connection: Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
