"""Opens one SQLite file: recognises or creates it, and sets what makes every commit durable."""

import random
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prequel.shared.runtime.deadlines import SQLITE_WAL_BACKOFF
from prequel.shared.sqlite.errors import DAMAGED_REMEDY
from prequel.shared.sqlite.wal import WAL_BYTES

Connection = sqlite3.Connection


@dataclass(frozen=True)
class FileFormat:
    """What a file must be, or is created as.

    ``kind`` (four characters) and ``version`` are written into the file's header and must be found there. ``schema``:
    the statements that create it. ``shrinks``: free pages can be given back to the disk (incremental_vacuum).
    """

    kind: str
    version: int
    schema: Sequence[str]
    page_bytes: int = 4096
    shrinks: bool = False

    @property
    def application_id(self) -> int:
        return int.from_bytes(self.kind.encode(), "big")


def open_connection(
    path: Path, file_format: FileFormat, *, busy_timeout_s: float, error: type[Exception]
) -> Connection:
    """A connection to the file, which is created where it is missing or empty.

    Blocks while another process creates the file. Raises ``error`` for a file of another kind or of a newer version,
    and sqlite3.Error for everything else.
    """
    # isolation_level=None: transactions begin and end where the code says so, not where Python guesses.
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path, file_format, busy_timeout_s=busy_timeout_s, error=error)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(
    connection: Connection, path: Path, file_format: FileFormat, *, busy_timeout_s: float, error: type[Exception]
) -> None:
    # 1. Temporary data stays in memory: it is a few pages, and in the folder of temporary files a /tmp that is full or
    #    read-only would stop a log whose own disk has room.
    connection.execute("PRAGMA temp_store=MEMORY")
    # 2. Look before anything is written, so that a file of somebody else's stays as it is. In one transaction, or
    #    another process could create the file between the two looks.
    connection.execute("BEGIN")
    is_empty = _recognise(connection, path, file_format, error)
    connection.execute("COMMIT")
    # 3. What can only be set on an empty file, before WAL writes its first page. On an existing one auto_vacuum would
    #    rewrite the header, so it is left out there; page_size is ignored there.
    connection.execute(f"PRAGMA page_size={file_format.page_bytes}")
    if file_format.shrinks and is_empty:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    # 4. Durability: a commit is synced to the disk before it returns. Checkpoints are ours to time (see wal.py).
    enter_wal_mode(connection, busy_timeout_s)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"PRAGMA journal_size_limit={4 * WAL_BYTES}")
    # 5. Deleted rows are overwritten in pages that are written anyway; free pages keep theirs (see free_pages.py).
    #    Debian's SQLite would write zeros over these at once, which is as much again to write.
    connection.execute("PRAGMA secure_delete=FAST")
    # 6. Functions and views in a file from elsewhere are not run.
    connection.execute("PRAGMA trusted_schema=OFF")
    if is_empty:
        _create(connection, path, file_format, error)


def _create(connection: Connection, path: Path, file_format: FileFormat, error: type[Exception]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if _recognise(connection, path, file_format, error):  # Else another process was faster: its tables are there.
        for statement in file_format.schema:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={file_format.application_id}")
        connection.execute(f"PRAGMA user_version={file_format.version}")
    connection.execute("COMMIT")


def _recognise(connection: Connection, path: Path, file_format: FileFormat, error: type[Exception]) -> bool:
    """Whether the file is still empty; raises ``error`` where it is neither empty nor of this format."""
    (kind,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if kind == version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
        return True
    if kind != file_format.application_id:
        raise error(f"{path} is an SQLite file, but not the one expected here. {DAMAGED_REMEDY}")
    if version > file_format.version:
        raise error(
            f"{path} has format {version}, and this Prequel knows formats up to {file_format.version}: "
            "install a newer Prequel"
        )
    return False


def enter_wal_mode(connection: Connection, busy_timeout_s: float) -> None:
    """Make the file use a write-ahead log: readers and one writer then do not wait for each other.

    Retried here, because SQLite does not apply its busy timeout to this switch: two processes that create the file
    together would fail.
    """
    deadline, tries = time.monotonic() + busy_timeout_s, 0
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            tries += 1
            time.sleep(SQLITE_WAL_BACKOFF.pause(tries, random.random()))
