"""The one place that opens SQLite files: durable settings, lent connections, errors that say what to do."""

import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from prequel.shared.runtime import disk
from prequel.shared.runtime.deadlines import SQLITE_BUSY_S, SQLITE_CHECKPOINT_BUSY_S, SQLITE_WAL_BACKOFF

Connection = sqlite3.Connection

_CHECKPOINT_BYTES = 16 * 2**20
_CHECKPOINT_PART = 16
"""A write-ahead log is emptied at the latest when it holds such a part of the disk's free room: there are six of them,
and what is in one has to find room in its file as well."""
ROOM_SECONDS = 0.1
"""How old what is known of the disk's room may be: a look costs a tenth of a small append. Nobody fills what appends
leave free in so short a time."""
_ACCESS = "Give this user write access to the file and its folder, or choose another folder."
_HELD = "Another process holds the file: wait for it, or find it (fuser FILE) and stop it."
_DAMAGED = "The file is damaged or none of Prequel's: move it away, or restore it from a backup."
_DISK = "Check the disk's health, free space and quota; nothing acknowledged is lost."
_ELSEWHERE = "Check --data, PREQUEL_DATA, PREQUEL_LOG and PREQUEL_STORE."
_UNEXPECTED = "If it comes again, check the file: sqlite3 FILE 'PRAGMA integrity_check'."
FULL_REMEDY = "Make room: nothing acknowledged is lost, and work goes on by itself."
_REMEDIES = {
    sqlite3.SQLITE_FULL: FULL_REMEDY,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_TOOBIG: "SQLite holds values of up to 1 GB: make it smaller.",
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
    sqlite3.SQLITE_PROTOCOL: _HELD,
    sqlite3.SQLITE_READONLY: _ACCESS,
    sqlite3.SQLITE_CANTOPEN: _ACCESS,
    sqlite3.SQLITE_PERM: _ACCESS,
    sqlite3.SQLITE_AUTH: _ACCESS,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


class Database:
    """One file of ours. Safe to use from several threads; not in a forked child.

    ``kind`` (four characters) and ``version`` are written into the file's header and must be found there. Every
    failure of SQLite or of the file system is raised as ``error``, with the remedy in its message. The folder and the
    file are made on first use, or where ``create`` is False, must be there; with ``shrinks`` so that pages which are
    free can be given back (incremental_vacuum).
    """

    def __init__(
        self,
        path: Path,
        *,
        kind: str,
        version: int,
        schema: Sequence[str],
        error: type[Exception],
        busy_timeout_s: float = SQLITE_BUSY_S,
        page_bytes: int = 4096,
        create: bool = True,
        shrinks: bool = False,
    ) -> None:
        self.path = path
        self._kind, self._version, self._schema = int.from_bytes(kind.encode(), "big"), version, schema
        self._error, self.busy_timeout_s, self._page_bytes = error, busy_timeout_s, page_bytes
        self._may_create = create
        self._shrinks = shrinks
        self._lock, self._process = threading.Lock(), os.getpid()
        self._free: list[Connection] = []
        self._closed = False
        self._room, self._room_until = disk.DiskSpace(0, 0), float("-inf")
        self._unsettled_bytes = 0

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection to this thread; each statement is a transaction of its own. Exhaust every cursor."""
        with self._explaining():
            connection = self._lend()
            try:
                yield connection
            except BaseException:
                connection.close()  # What state it is in is unknown; closing rolls back.
                raise
            self._take_back(connection)

    @contextmanager
    def writing(self, size: int = 4096) -> Iterator[Connection]:
        """One transaction of about ``size`` bytes, synced to the disk on return, undone by any exception."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")  # A deferred one could fail half-way, when it turns to writing.
            yield connection
            connection.execute("COMMIT")
            self._checkpoint(connection, size)

    def size(self) -> int:
        """Bytes of the file and of its write-ahead log; 0 before the first use."""
        return self._bytes_of(self.path) + self.wal_size()

    def wal_size(self) -> int:
        """Bytes of the write-ahead log, those in it that were brought into the file already among them."""
        return self._bytes_of(self.path.with_name(f"{self.path.name}-wal"))

    def room(self) -> disk.DiskSpace:
        """What the disk under the file has left."""
        with self._explaining():
            return disk.disk_space(self.path.parent)

    def recent_room(self) -> disk.DiskSpace:
        """As ``room``, at most ROOM_SECONDS ago."""
        if time.monotonic() >= self._room_until:
            self._room, self._room_until = self.room(), time.monotonic() + ROOM_SECONDS
        return self._room

    def _bytes_of(self, path: Path) -> int:
        with self._explaining(), suppress(FileNotFoundError):
            return path.stat().st_size
        return 0

    def settle(self) -> None:
        """Bring the write-ahead log into the file and empty it, unless readers are in the way: both then are small."""
        with self.reading() as connection:
            self._unsettled_bytes = _CHECKPOINT_BYTES
            self._checkpoint(connection, 0, "TRUNCATE")

    def rewrite(self) -> None:
        """Write the file anew, with nothing free in it, and as one that ``shrinks`` if this one does.

        Takes long, and as much room on the disk again. Nobody else may have the file open, in this process either:
        raises the error of a file that another process holds. Killed at any instant, it is as it was, or done.
        """
        with self._lock:
            free, self._free = self._free, []
        for connection in free:
            connection.close()
        with self.reading() as connection:
            connection.execute("PRAGMA journal_mode=DELETE")  # Refused while anybody else has the file open.
            try:
                if self._shrinks:
                    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
                connection.execute("PRAGMA temp_store=FILE")  # It makes the whole file once more there.
                connection.execute("VACUUM")
            finally:
                connection.execute("PRAGMA temp_store=MEMORY")
                self._enter_wal(connection)

    def close(self) -> None:
        """Close what is not lent out; what is, closes when it comes back. May be called again."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        if os.getpid() == self._process:  # A forked child must not touch its parent's connections.
            for connection in free:
                connection.close()

    def _lend(self) -> Connection:
        if os.getpid() != self._process:
            raise self._error(f"{self.path} was opened before a fork: open it anew in a process that was spawned")
        with self._lock:
            if self._closed:
                raise self._error(f"{self.path} is closed")
            if self._free:
                return self._free.pop()
        return self._open()

    def _take_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._free.append(connection)
                return
        connection.close()

    def _open(self) -> Connection:
        if self._may_create:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        elif not self.path.exists():
            raise self._error(f"{self.path} does not exist: nothing was stored there. {_ELSEWHERE}")
        connection = sqlite3.connect(
            self.path, timeout=self.busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: Connection) -> None:
        # What a statement needs beside the file is a few pages. In the folder of temporary files they would make a
        # /tmp that is full, or read-only, the end of a log whose own disk has room.
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("BEGIN")  # Else another process could make the file between two looks at it.
        empty = self._recognise(connection)
        connection.execute("COMMIT")
        connection.execute(f"PRAGMA page_size={self._page_bytes}")
        if self._shrinks and empty:  # Decided when the file is made. Of one that is there this would write the header.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._enter_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute(f"PRAGMA journal_size_limit={4 * _CHECKPOINT_BYTES}")
        connection.execute("PRAGMA trusted_schema=OFF")
        if empty:
            self._create(connection)

    def _create(self, connection: Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if self._recognise(connection):
            for statement in self._schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={self._kind}")
            connection.execute(f"PRAGMA user_version={self._version}")
        connection.execute("COMMIT")

    def _recognise(self, connection: Connection) -> bool:
        """Whether the file is still empty; raises where it is neither that nor ours."""
        (kind,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if kind == version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            return True
        if kind != self._kind:
            raise self._error(f"{self.path} is an SQLite file, but not the one expected here. {_DAMAGED}")
        if version > self._version:
            raise self._error(
                f"{self.path} has format {version}, this Prequel knows up to {self._version}: install a newer Prequel"
            )
        return False

    def _enter_wal(self, connection: Connection) -> None:
        # Two processes that make the file together: the switch does not wait for the lock by itself.
        deadline, tries = time.monotonic() + self.busy_timeout_s, 0
        while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                tries += 1
                time.sleep(SQLITE_WAL_BACKOFF.pause(tries, random.random()))

    def _checkpoint(self, connection: Connection, size: int, mode: str = "RESTART") -> None:
        """Move the write-ahead log into the file now and then.

        Not SQLite's automatic way: before 3.51.3 a passive checkpoint may race with a writer that restarts the
        write-ahead log and lose a commit (sqlite.org/wal.html#walresetbug); this one holds the writer's lock.
        """
        self._unsettled_bytes += size + 2 * self._page_bytes  # However small, a transaction writes whole pages.
        scarce = self.recent_room().free // _CHECKPOINT_PART
        if self._unsettled_bytes < min(_CHECKPOINT_BYTES, scarce):
            return
        self._unsettled_bytes = 0
        mode = "TRUNCATE" if scarce < _CHECKPOINT_BYTES else mode
        connection.execute(f"PRAGMA busy_timeout={round(SQLITE_CHECKPOINT_BUSY_S * 1000)}")
        with suppress(sqlite3.OperationalError):  # The commit stands; a disk in trouble shows in the next one.
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        connection.execute(f"PRAGMA busy_timeout={round(self.busy_timeout_s * 1000)}")

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0)  # None where Python itself refuses, as on a closed connection.
            raise self._error(f"{self.path}: {error}. {_REMEDIES.get(code & 0xFF, _UNEXPECTED)}") from error
        except OSError as error:
            raise self._error(f"{self.path}: {error}. {_ACCESS}") from error
