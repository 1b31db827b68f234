"""Erases records of the embedded log: the rows stay, and the bytes that were in them are overwritten in the file."""

from collections.abc import Callable

from prequel.shared.sqlite.database import Connection, Database

Redact = Callable[[tuple[object, ...]], tuple[bytes, bytes] | None]
"""A row as it is -> the packed headers and the value that replace its own, None where the row is left alone."""

_STRUCTURED = b"application/cloudevents"
"""The content type of an event in structured mode, which may name its stream in its value only."""


def erase_rows(database: Database, partition: int, offsets: range, *, mentioning: bytes, redact: Redact) -> int:
    """Replace the rows that (may) mention the bytes and that ``redact`` picks; how many. One transaction.

    1. Read the candidates. The filter is coarse and cheap (key, or bytes anywhere in the headers); ``redact`` decides.
    2. Update them with ``secure_delete`` on, so that SQLite writes zeros over what the old values occupied. They are
       updated, not deleted: an offset that disappeared at the end would be used again, and a reader would meet a gap.
    3. Afterwards the caller scrubs the file (``Database.scrub``): the old bytes are in the WAL until then, and those of
       records that were pruned, in free pages.
    """
    query = (
        f"SELECT * FROM p{partition} WHERE offset >= ? AND offset < ?"
        " AND (key = ? OR instr(headers, ?) > 0 OR instr(headers, ?) > 0)"
    )
    with database.reading() as connection:
        rows = connection.execute(query, (offsets.start, offsets.stop, mentioning, mentioning, _STRUCTURED)).fetchall()
    updates = [(*remains, row[0]) for row in rows if (remains := redact(row)) is not None]
    if updates:
        with database.reading() as connection:
            connection.execute("PRAGMA secure_delete=ON").fetchone()
            # Where this fails, ``reading`` closes the connection, and that undoes both the update and the pragma.
            _update(connection, partition, updates)
            connection.execute("PRAGMA secure_delete=FAST").fetchone()
    return len(updates)


def _update(connection: Connection, partition: int, updates: list[tuple[bytes, bytes, object]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(f"UPDATE p{partition} SET headers = ?, value = ? WHERE offset = ?", updates)
    connection.execute("COMMIT")
