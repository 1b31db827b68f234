"""Takes records out of the embedded log: their places stay, empty, and of their bytes nothing is left in the file."""

from collections.abc import Callable

from prequel.shared.log.sqlite.connections import Connection, Database
from prequel.shared.runtime.deadlines import SQLITE_CHECKPOINT_BUSY_S

Change = Callable[[tuple[object, ...]], bytes | None]
"""A row as it stands -> the headers that are left of it, None where it stays."""

_STRUCTURED = b"application/cloudevents"
"""The content type of an event that names its stream in its value."""


def erase(database: Database, partition: int, offsets: range, about: bytes, change: Change) -> int:
    """Empty those of the rows that (may) name ``about`` and that ``change`` says; how many they were. One transaction.

    The offsets keep their rows: none is given away twice, and a reader meets no gap. What is overwritten is zeroed
    (secure_delete), in the write-ahead log too once ``scrubbed``.
    """
    query = (
        f"SELECT * FROM p{partition} WHERE offset >= ? AND offset < ?"
        " AND (key = ? OR instr(headers, ?) > 0 OR instr(headers, ?) > 0)"
    )
    with database.reading() as connection:
        rows = connection.execute(query, (offsets.start, offsets.stop, about, about, _STRUCTURED)).fetchall()
    left = [(headers, row[0]) for row in rows if (headers := change(row)) is not None]
    if left:
        with database.reading() as connection:
            (before,) = connection.execute("PRAGMA secure_delete").fetchone()
            connection.execute("PRAGMA secure_delete=ON").fetchone()
            try:
                _update(connection, partition, left)
            finally:
                connection.execute(f"PRAGMA secure_delete={before}").fetchone()
    return len(left)


def scrubbed(database: Database) -> bool:
    """Empty the write-ahead log into the file; False while a reader holds it up: try again."""
    with database.reading() as connection:
        connection.execute(f"PRAGMA busy_timeout={round(SQLITE_CHECKPOINT_BUSY_S * 1000)}")  # Appends wait meanwhile.
        try:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout={round(database.busy_timeout_s * 1000)}")
    return not busy


def _update(connection: Connection, partition: int, left: list[tuple[bytes, object]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(f"UPDATE p{partition} SET headers = ?, value = x'' WHERE offset = ?", left)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
