"""One topic of the embedded log: a file that threads and processes append to and read from in offset order."""

import json
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from prequel.shared.log.base import (
    Bounds,
    Headers,
    LogUnavailable,
    Message,
    OffsetOutOfRange,
    Position,
    Record,
    partition_for,
)
from prequel.shared.log.sqlite.connections import FULL_REMEDY, ROOM_SECONDS, Connection, Database
from prequel.shared.log.sqlite.erasure import erase, scrubbed
from prequel.shared.log.sqlite.pruning import FilePruning
from prequel.shared.units import format_bytes

_TRANSACTION_BYTES = 16 * 2**20
_READ_CHUNK = 200
_PAGE_BYTES = 2**15  # Measured with 5 and 8 KB values: writes take a third less processor time than with 4 KB pages.
_SPARE_PART = 16
"""Such a part of the room that is left is taken without another look at it: there are six files that take from it."""
_LARGEST_OFFSET = 2**63 - 1


class Bell:
    """Wakes the threads of this process that wait for something new."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.rings = 0

    def ring(self) -> None:
        with self._condition:
            self.rings += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout_s: float) -> None:
        """Return once ``rings`` is no longer ``seen``, or after the timeout."""
        with self._condition:
            if self.rings == seen:
                self._condition.wait(timeout_s)


class Row(NamedTuple):
    """A message made ready to be written; ``partition`` None: the one with the fewest records."""

    partition: int | None
    key: bytes | None
    headers: bytes
    value: bytes

    @property
    def size(self) -> int:
        return len(self.key or b"") + len(self.headers) + len(self.value)


class _Append:
    """One caller's rows, and what became of them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows, self.size = rows, sum(row.size for row in rows)
        self.positions: list[Position] = []
        self.failure: BaseException | None = None
        self.done = False


class Topic:
    """Safe to use from several threads. Every method may block and raises LogUnavailable."""

    def __init__(
        self,
        name: str,
        path: Path,
        partitions: int,
        *,
        clock: Callable[[], float],
        busy_timeout_s: float,
        create: bool = True,
        reserves: int = 1,
    ) -> None:
        """``reserves``: how many times the disk's reserve is left free by what is appended."""
        self.name, self.partitions, self.bell = name, partitions, Bell()
        self._reserves = reserves
        self._spare, self._spare_until = 0, float("-inf")
        self._clock = clock
        self._database = Database(
            path,
            kind="PQlg",
            version=1,
            schema=_schema(partitions),
            error=LogUnavailable,
            busy_timeout_s=busy_timeout_s,
            page_bytes=_PAGE_BYTES,
            create=create,
            shrinks=True,
        )
        self._waiting: deque[_Append] = deque()
        self._writer = threading.Lock()

    def open(self) -> None:
        """Make the file if need be; raises LogUnavailable too where it was made with other partitions."""
        with self._database.reading() as connection:
            (found,) = connection.execute("SELECT partitions FROM topic").fetchone()
        if found != self.partitions:
            self._database.close()
            raise LogUnavailable(
                f"{self._database.path} was made with {found} partitions, not {self.partitions}: streams would move. "
                f"Set it back to {found}, or begin a new log in another folder"
            )

    def close(self) -> None:
        self._database.close()
        self.bell.ring()

    def row(self, message: Message) -> Row:
        """Raises ValueError for a partition that the topic does not have."""
        partition = message.partition
        if partition is None and message.key is not None:
            partition = partition_for(message.key, self.partitions)
        if partition is not None and not 0 <= partition < self.partitions:
            raise ValueError(f"topic {self.name} has partitions 0 to {self.partitions - 1}, not {partition}")
        return Row(partition, message.key, _pack(message.headers), message.value)

    def append(self, rows: Sequence[Row]) -> list[Position]:
        """Durable on return. Whoever comes while another thread syncs the disk shares the next transaction."""
        mine = _Append(rows)
        self._waiting.append(mine)
        with self._writer:
            while not mine.done:
                self._write()
        if mine.failure:
            raise LogUnavailable(str(mine.failure)) from mine.failure
        return mine.positions

    def _write(self) -> None:
        """Append what waits, in one transaction unless it is very much."""
        batch: list[_Append] = []
        size = 0
        while self._waiting and size < _TRANSACTION_BYTES:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        failure: BaseException | None = LogUnavailable("the append was interrupted: it may or may not be in the log")
        try:
            self._find_room(size, sum(len(append.rows) for append in batch))
            with self._database.writing(size) as connection:
                self._insert(connection, batch)
            failure = None
        except LogUnavailable as error:
            failure = error
        finally:
            for append in batch:
                append.failure, append.done = failure, True
        self.bell.ring()

    def _find_room(self, size: int, rows: int) -> None:
        """Raises LogUnavailable before the disk is full: on one that is, nothing could be pruned any more.

        A record is written twice, into the write-ahead log and from there into the file, for which all that is in the
        write-ahead log needs room too, unless it is emptied first.
        """
        wanted = 2 * (size + min(size, rows * _PAGE_BYTES) + 4 * _PAGE_BYTES)
        if wanted <= self._spare and time.monotonic() < self._spare_until:
            self._spare -= wanted
            return
        room = self._database.room()
        left = room.free - wanted - self._database.wal_size() - self._reserves * room.reserve
        if left >= 0:
            self._spare, self._spare_until = left // _SPARE_PART, time.monotonic() + ROOM_SECONDS
            return
        self._database.settle()
        room, unsettled = self._database.room(), self._database.wal_size()
        if room.free - wanted - unsettled < self._reserves * room.reserve:
            raise LogUnavailable(
                f"{self._database.path}: the disk has {format_bytes(room.free)} left, this takes up to "
                f"{format_bytes(wanted + unsettled)}, and {format_bytes(self._reserves * room.reserve)} stay free so "
                f"that old records can be pruned. {FULL_REMEDY}"
            )

    def _insert(self, connection: Connection, batch: Sequence[_Append]) -> None:
        ends, times = self._ends(connection)
        now = self._clock()
        inserts: dict[int, list[tuple[object, ...]]] = {}
        for append in batch:
            append.positions = []
            for partition, key, headers, value in append.rows:
                if partition is None:
                    partition = min(ends, key=ends.__getitem__)
                offset = ends[partition]
                ends[partition] += 1
                append.positions.append(Position(partition, offset))
                inserts.setdefault(partition, []).append((offset, max(now, times[partition]), key, headers, value))
        for partition, values in inserts.items():
            connection.executemany(f"INSERT INTO p{partition} VALUES (?, ?, ?, ?, ?)", values)

    def _ends(self, connection: Connection) -> tuple[dict[int, int], dict[int, float]]:
        """Partition -> next offset, and -> when the last record was appended."""
        ends, times = {}, {}
        for partition in range(self.partitions):
            query = f"SELECT offset + 1, appended_at FROM p{partition} ORDER BY offset DESC LIMIT 1"
            ends[partition], times[partition] = connection.execute(query).fetchone() or (0, 0.0)
        return ends, times

    def size(self) -> int:
        """Bytes of the topic's files."""
        return self._database.size()

    def pruning(self) -> FilePruning:
        return FilePruning(self._database, self.partitions, self._writer)

    def bounds(self) -> dict[int, Bounds]:
        with self._database.reading() as connection:
            return {partition: _bounds(connection, partition) for partition in range(self.partitions)}

    def read(self, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        """Single records; what is not there is not in the answer."""
        if not 0 <= partition < self.partitions:
            return {}
        wanted = sorted({offset for offset in offsets if 0 <= offset <= _LARGEST_OFFSET})
        found: dict[int, Record] = {}
        with self._database.reading() as connection:
            for start in range(0, len(wanted), _READ_CHUNK):
                chunk = wanted[start : start + _READ_CHUNK]
                query = f"SELECT * FROM p{partition} WHERE offset IN ({','.join('?' * len(chunk))})"
                for offset, appended_at, key, headers, value in connection.execute(query, chunk):
                    found[offset] = Record(self.name, partition, offset, key, value, _unpack(headers), appended_at)
        return found

    def erase(self, partition: int, offsets: range, about: bytes, change: Callable[[Record], Headers | None]) -> int:
        """See shared.log.base.Erasing."""

        def left(row: Any) -> bytes | None:
            offset, appended_at, key, headers, value = row
            kept = change(Record(self.name, partition, offset, key, value, _unpack(headers), appended_at))
            return None if kept is None else _pack(kept)

        return erase(self._database, partition, offsets, about, left)

    def scrubbed(self) -> bool:
        """See shared.log.base.Erasing."""
        return scrubbed(self._database)

    def check(self, partition: int, offset: int) -> None:
        """Raises OffsetOutOfRange unless reading can begin there."""
        with self._database.reading() as connection:
            known = 0 <= partition < self.partitions
            bounds = _bounds(connection, partition) if known else Bounds(0, 0)
        if not known or not bounds.begin <= offset <= bounds.end:
            raise OffsetOutOfRange(self.name, partition, offset, *bounds)

    def take(self, partition: int, begin: int, most: int, most_bytes: int) -> list[Record]:
        """Records from ``begin`` on, up to ``most`` and about ``most_bytes``, at least one if there is one."""
        records: list[Record] = []
        query = f"SELECT * FROM p{partition} WHERE offset >= ? ORDER BY offset LIMIT ?"
        with self._database.reading() as connection:
            cursor = connection.execute(query, (begin, most))
            for offset, appended_at, key, headers, value in cursor:
                records.append(Record(self.name, partition, offset, key, value, _unpack(headers), appended_at))
                most_bytes -= len(value)
                if most_bytes <= 0:
                    break
            cursor.close()  # Ends the read transaction, which would hold up checkpoints.
        if records and records[0].offset != begin:
            self.check(partition, begin)
        return records


def _schema(partitions: int) -> list[str]:
    """A table per partition: every append is at the right edge of its tree."""
    columns = "offset INTEGER PRIMARY KEY, appended_at REAL NOT NULL, key BLOB, headers BLOB NOT NULL, value BLOB"
    return [
        "CREATE TABLE topic (partitions INTEGER NOT NULL)",
        f"INSERT INTO topic VALUES ({partitions})",
        *(f"CREATE TABLE p{partition} ({columns} NOT NULL)" for partition in range(partitions)),
    ]


def _bounds(connection: Connection, partition: int) -> Bounds:
    query = f"SELECT (SELECT min(offset) FROM p{partition}), (SELECT max(offset) FROM p{partition})"
    first, last = connection.execute(query).fetchone()
    return Bounds(0, 0) if last is None else Bounds(first, last + 1)


def _pack(headers: Headers) -> bytes:
    """A line of names (JSON), a line of the values' lengths (as struct has it), the values: any bytes in any order."""
    names, contents = zip(*headers, strict=True) if headers else ((), ())
    layout = "".join([f"{len(value)}s" for value in contents])
    return b"%s\n%s\n%s" % (_write_names(names), layout.encode(), b"".join(contents))


def _unpack(packed: bytes) -> Headers:
    try:
        names, layout, contents = packed.split(b"\n", 2)
        return tuple(zip(_read_names(names), struct.unpack(layout, contents), strict=True))
    except (ValueError, TypeError, struct.error) as error:
        raise LogUnavailable(f"a record's headers are damaged ({error}): restore the log from a backup") from error


# Few sets of names occur, each in very many records: decoding them anew would take most of the time of reading.


@lru_cache(1024)
def _write_names(names: tuple[str, ...]) -> bytes:
    return json.dumps(names).encode()


@lru_cache(1024)
def _read_names(names: bytes) -> tuple[str, ...]:
    return tuple(json.loads(names))
