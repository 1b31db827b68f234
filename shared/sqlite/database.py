"""One SQLite file used by many threads: a pool of connections, durable transactions, errors with a remedy."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prequel.shared.runtime import disk
from prequel.shared.runtime.deadlines import SQLITE_BUSY_S
from prequel.shared.sqlite.errors import MISSING_REMEDY, translated
from prequel.shared.sqlite.free_pages import STEP_BYTES, FreePages
from prequel.shared.sqlite.opening import Connection, FileFormat, enter_wal_mode, open_connection
from prequel.shared.sqlite.wal import Checkpointer, checkpoint

__all__ = ["Connection", "Database", "FileFormat"]


class Database:
    """One file, on a local disk. Thread-safe; refuses to work in a forked child.

    Nothing is opened before the first call; the folder and the file are then created, or where ``create`` is False,
    must exist. Every failure of SQLite or of the file system is raised as ``error``, with a remedy in its message.
    Every call may block for ``busy_timeout_s`` while another process writes.
    """

    def __init__(
        self,
        path: Path,
        file_format: FileFormat,
        *,
        error: type[Exception],
        busy_timeout_s: float = SQLITE_BUSY_S,
        create: bool = True,
    ) -> None:
        self.path = path
        self._format, self._error, self._busy_timeout_s, self._may_create = file_format, error, busy_timeout_s, create
        self._checkpointer = Checkpointer(file_format.page_bytes, busy_timeout_s, self.disk_space)
        self._lock, self._process = threading.Lock(), os.getpid()
        self._free: list[Connection] = []
        self._free_pages, self._scrubbed = FreePages(), False
        """``_scrubbed``: whether what is free in the file is overwritten, and only the WAL has to be emptied yet."""
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for this thread alone; each statement is a transaction of its own. Exhaust every cursor."""
        with translated(self.path, self._error):
            connection = self._acquire()
            try:
                yield connection
            except BaseException:
                connection.close()  # Its state is unknown; closing it rolls back.
                raise
            self._release(connection)

    @contextmanager
    def writing(self, size: int = 4096) -> Iterator[Connection]:
        """One transaction of about ``size`` bytes: synced to the disk on return, undone by any exception."""
        with self.reading() as connection:
            # IMMEDIATE takes the writer's lock at once: a deferred transaction could fail half-way, at its first write.
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            self._checkpointer.after_commit(connection, size)

    def size(self) -> int:
        """Bytes of the file and of its WAL; 0 before the first use."""
        return self._file_bytes(self.path) + self.wal_size()

    def wal_size(self) -> int:
        """Bytes of the WAL's file, those included that have been copied into the file already."""
        return self._file_bytes(self.path.with_name(f"{self.path.name}-wal"))

    def disk_space(self) -> disk.DiskSpace:
        """What the disk under the file has left."""
        with translated(self.path, self._error):
            return disk.disk_space(self.path.parent)

    def _file_bytes(self, path: Path) -> int:
        with translated(self.path, self._error), suppress(FileNotFoundError):
            return path.stat().st_size
        return 0

    def truncate_wal(self) -> None:
        """Copy the WAL into the file and empty it, unless readers are in the way (then it is small)."""
        with self.reading() as connection:
            self._checkpointer.truncate(connection)

    def scrub(self, *, begin: bool) -> bool:
        """A step towards a file and a WAL without a byte of what was deleted before a call with ``begin``.

        Whether that is reached; False also where a reader keeps an old version alive. For one thread at a time.
        """
        if begin:
            self._free_pages, self._scrubbed = FreePages(), False
        with self.reading() as connection:
            self._scrubbed = self._scrubbed or self._free_pages.step(connection)
            self._checkpointer.after_commit(connection, STEP_BYTES)
            if not self._scrubbed or not checkpoint(connection, "TRUNCATE", self._busy_timeout_s):
                return False
        self._scrubbed = False
        return True

    def rewrite(self) -> None:
        """Write the whole file again, without free pages, and able to shrink where the format says so (VACUUM).

        Takes long, and as much room on the disk again. Raises ``error`` while anybody else has the file open, in this
        process too. A crash at any instant leaves the file as it was, or as it is to be.
        """
        for connection in self._take_free():
            connection.close()
        with self.reading() as connection:
            connection.execute("PRAGMA journal_mode=DELETE")  # Refused while anybody else has the file open.
            try:
                if self._format.shrinks:
                    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
                connection.execute("PRAGMA temp_store=FILE")  # VACUUM makes a second copy: too large for memory.
                connection.execute("VACUUM")
            finally:
                connection.execute("PRAGMA temp_store=MEMORY")
                enter_wal_mode(connection, self._busy_timeout_s)

    def close(self) -> None:
        """Close the connections; those in use close when they are released. May be called again."""
        free = self._take_free(closing=True)
        if os.getpid() == self._process:  # A forked child must not touch its parent's connections.
            for connection in free:
                connection.close()

    def _take_free(self, *, closing: bool = False) -> list[Connection]:
        with self._lock:
            self._closed = self._closed or closing
            free, self._free = self._free, []
        return free

    def _acquire(self) -> Connection:
        if os.getpid() != self._process:
            raise self._error(
                f"{self.path} was opened before a fork. Open it in the child, or start processes by spawn"
            )
        with self._lock:
            if self._closed:
                raise self._error(f"{self.path} is closed")
            if self._free:
                return self._free.pop()
        return self._open()

    def _release(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._free.append(connection)
                return
        connection.close()

    def _open(self) -> Connection:
        if self._may_create:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        elif not self.path.exists():
            raise self._error(f"{self.path} does not exist: nothing was stored there. {MISSING_REMEDY}")
        return open_connection(self.path, self._format, busy_timeout_s=self._busy_timeout_s, error=self._error)
