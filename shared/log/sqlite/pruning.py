"""Takes the oldest records out of one topic's file in short transactions, and gives the room back to the disk."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from prequel.shared.log.sqlite.connections import Connection, Database

STEP_BYTES = 4 * 2**20
"""Of values that one transaction deletes: a few milliseconds of work on a slow machine, which an append may have to
wait for. Half as much is twice as many syncs of the disk; twice as much is a wait that somebody notices."""

STEP_RECORDS = 500
"""The same where records are tiny: each costs a look into the tree."""

STEP_PAGES = 32
"""Moved from the end of the file into free places by one transaction: 1 MiB, each with the pages that point to it."""

_STEP_PART = 4
"""A step deletes or moves no more than such a part of the disk's free room: pages that others point to are written too,
and all of them twice, into the write-ahead log and into the file."""

_STEP_COST_BYTES = 2**20
"""What a step is taken to write when it is counted when the write-ahead log has to be emptied."""


class FileUsage(NamedTuple):
    """A topic's file in bytes: all of it, and what in it is free for new records."""

    total: int
    free: int

    @property
    def used(self) -> int:
        return self.total - self.free


class FilePruning:
    """Safe to use from several threads. Every method may block for one short transaction; raises LogUnavailable.

    The newest record of a partition stays, whatever is asked: it tells which offset comes next.
    """

    def __init__(self, database: Database, partitions: int, writer: threading.Lock) -> None:
        """``writer`` is held by whoever appends in this process: waiting for it is fairer than SQLite's own lock."""
        self._database, self._partitions, self._writer = database, partitions, writer

    def usage(self) -> FileUsage:
        with self._database.reading() as connection:
            return _usage(connection)

    def oldest(self) -> dict[int, tuple[int, float]]:
        """Partition -> offset of its oldest record and when that was appended; empty partitions are left out."""
        query = "SELECT offset, appended_at FROM p{} ORDER BY offset LIMIT 1"
        with self._database.reading() as connection:
            found = {p: connection.execute(query.format(p)).fetchone() for p in range(self._partitions)}
        return {partition: row for partition, row in found.items() if row}

    def drop(self, partition: int, before: int, appended_before: float = float("inf"), most: int = STEP_BYTES) -> int:
        """Delete the oldest records: of offsets below ``before``, appended earlier than that, about ``most`` bytes.

        One step: at least one record if there is one, STEP_RECORDS at most. Returns how many; 0: nothing is left to do.
        """
        most = min(most, self._database.room().free // _STEP_PART)  # On a disk that is nearly full, smaller steps.
        with self._stepping() as connection:
            last = _last_to_go(connection, partition, before, appended_before, most)
            if last is None:
                return 0
            deleted = connection.execute(f"DELETE FROM p{partition} WHERE offset <= ?", (last,))
            return deleted.rowcount

    def shrink(self, keep: int) -> int:
        """Give the disk some of what is free beyond ``keep`` bytes; how many bytes, 0 where there is no more.

        Nothing is given back from a file that an earlier Prequel made (see ``can_shrink``).
        """
        with self._stepping() as connection:
            before = _usage(connection)
            page = _number(connection, "page_size")
            affordable = max(1, self._database.room().free // (_STEP_PART * page))
            pages = min(STEP_PAGES, (before.free - keep) // page, affordable)
            if pages > 0:
                connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()  # A page a row: all of them.
            return before.total - _usage(connection).total

    def scarce(self) -> bool:
        """Whether the disk is nearly full."""
        return self._database.room().scarce

    def can_shrink(self) -> bool:
        """Whether the file was made so that free pages can be given back: not by Prequel 0.1."""
        with self._database.reading() as connection:
            return _number(connection, "auto_vacuum") == _INCREMENTAL

    def settle(self) -> None:
        """Bring what was done from the write-ahead log into the file, whose size then is what ``usage`` says."""
        with self._writer:
            self._database.settle()

    def rewrite(self) -> None:
        """Make the file one that can shrink. Long, takes as much room again, and raises LogUnavailable while in use."""
        with self._writer:
            self._database.rewrite()

    @contextmanager
    def _stepping(self) -> Iterator[Connection]:
        with self._writer, self._database.writing(_STEP_COST_BYTES) as connection:
            # Debian's SQLite writes zeros over all that is deleted unless told otherwise: as much again to write.
            secure = _number(connection, "secure_delete")
            connection.execute("PRAGMA secure_delete=OFF")
            yield connection
            connection.execute(f"PRAGMA secure_delete={secure}")


_INCREMENTAL = 2


def _last_to_go(connection: Connection, partition: int, before: int, appended_before: float, most: int) -> int | None:
    query = (
        f"SELECT offset, length(value) + length(headers) FROM p{partition} WHERE offset < ?"
        f" AND offset < (SELECT max(offset) FROM p{partition}) AND appended_at < ? ORDER BY offset LIMIT ?"
    )
    last = None
    for offset, size in connection.execute(query, (before, appended_before, STEP_RECORDS)).fetchall():
        if last is not None and most < size:
            break
        last, most = offset, most - size
    return last


def _usage(connection: Connection) -> FileUsage:
    page = _number(connection, "page_size")
    return FileUsage(page * _number(connection, "page_count"), page * _number(connection, "freelist_count"))


def _number(connection: Connection, pragma: str) -> int:
    (found,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(found)
