"""Keeps a file's write-ahead log (WAL) small: when its pages are copied into the file, and by whom."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress

from prequel.shared.runtime.deadlines import SQLITE_CHECKPOINT_BUSY_S
from prequel.shared.runtime.disk import DiskSpace

WAL_BYTES = 16 * 2**20
"""A WAL is copied into the file once this much has been written to it. Each copy costs two syncs of the disk, so half
as much means twice as many; twice as much takes more disk and a longer first read after a crash."""

WAL_PART = 16
"""A WAL is emptied earlier where it would take a larger part than this of the disk's free room: there are six of them
(four topics, groups, store), and what is in one needs room in its file as well."""

SPACE_CACHE_S = 0.1
"""For how long a look at the disk's free room counts: a look costs a tenth of a small append, and nobody fills what
appends leave free in so short a time."""


class Checkpointer:
    """Decides when a file's WAL is copied into the file. Thread-safe enough: a lost count delays a copy by one commit.

    Not left to SQLite (wal_autocheckpoint): before 3.51.3 a passive checkpoint may race with a writer that restarts
    the WAL, and lose a commit (sqlite.org/wal.html#walresetbug). RESTART and TRUNCATE take the writer's lock.
    """

    def __init__(self, page_bytes: int, busy_timeout_s: float, disk_space: Callable[[], DiskSpace]) -> None:
        self._page_bytes, self._busy_timeout_s, self._disk_space = page_bytes, busy_timeout_s, disk_space
        self._unsettled_bytes = 0
        self._free_bytes, self._free_until = 0, float("-inf")

    def after_commit(self, connection: sqlite3.Connection, size: int) -> None:
        """Count a transaction of ``size`` bytes; copy the WAL where enough has come together."""
        self._unsettled_bytes += size + 2 * self._page_bytes  # However small, a transaction writes whole pages.
        affordable = self._recent_free_bytes() // WAL_PART
        if self._unsettled_bytes < min(WAL_BYTES, affordable):
            return
        self._run(connection, "TRUNCATE" if affordable < WAL_BYTES else "RESTART")

    def truncate(self, connection: sqlite3.Connection) -> None:
        """Copy the WAL into the file and empty it; left undone where readers are in the way."""
        self._run(connection, "TRUNCATE")

    def _run(self, connection: sqlite3.Connection, mode: str) -> None:
        self._unsettled_bytes = 0
        with suppress(sqlite3.OperationalError):  # The commit stands; a disk in trouble shows in the next one.
            checkpoint(connection, mode, self._busy_timeout_s)

    def _recent_free_bytes(self) -> int:
        if time.monotonic() >= self._free_until:
            self._free_bytes, self._free_until = self._disk_space().free, time.monotonic() + SPACE_CACHE_S
        return self._free_bytes


def checkpoint(connection: sqlite3.Connection, mode: str, busy_timeout_s: float) -> bool:
    """Copy the WAL into the file; whether that was complete. Raises sqlite3.Error.

    Waits for readers only briefly, since all writers wait meanwhile; ``busy_timeout_s`` is the connection's own
    timeout, set again afterwards. ``mode``: RESTART, or TRUNCATE, which also makes the WAL's file empty.
    """
    connection.execute(f"PRAGMA busy_timeout={round(SQLITE_CHECKPOINT_BUSY_S * 1000)}")
    try:
        busy, _, _ = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout={round(busy_timeout_s * 1000)}")
    return not busy
