"""What SQLite's error codes mean for the person who runs Prequel, and what to do about each."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Without a full stop: callers go on, as in "...; trying again automatically".
_ACCESS = "Give this user write access to the file and its folder, or choose another folder"
_LOCKED = "Another process has locked the file: wait for it, or find it (fuser FILE) and stop it"
_DISK = "Check the disk's health, free space and quota; nothing acknowledged is lost"
_UNEXPECTED = "If it comes again, check the file: sqlite3 FILE 'PRAGMA integrity_check'"
DAMAGED_REMEDY = "The file is damaged, or was not made by Prequel: move it away, or restore it from a backup"
FULL_REMEDY = "Make room: nothing acknowledged is lost, and work goes on automatically"
MISSING_REMEDY = "Check --data, PREQUEL_DATA, PREQUEL_LOG and PREQUEL_STORE"

_REMEDIES = {
    sqlite3.SQLITE_FULL: FULL_REMEDY,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_TOOBIG: "SQLite takes values of up to 1 GB: make it smaller",
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_READONLY: _ACCESS,
    sqlite3.SQLITE_CANTOPEN: _ACCESS,
    sqlite3.SQLITE_PERM: _ACCESS,
    sqlite3.SQLITE_AUTH: _ACCESS,
    sqlite3.SQLITE_CORRUPT: DAMAGED_REMEDY,
    sqlite3.SQLITE_NOTADB: DAMAGED_REMEDY,
}

_PRIMARY_CODE = 0xFF
"""SQLite's extended codes have the primary one, for which there is a remedy, in their lowest byte."""


@contextmanager
def translated(path: Path, error_type: type[Exception]) -> Iterator[None]:
    """Raise ``error_type`` for whatever SQLite or the file system raises, with the file's path and a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)  # Missing where Python itself refuses: a closed connection.
        raise error_type(f"{path}: {error}. {_REMEDIES.get(code & _PRIMARY_CODE, _UNEXPECTED)}") from error
    except OSError as error:
        raise error_type(f"{path}: {error}. {_ACCESS}") from error
