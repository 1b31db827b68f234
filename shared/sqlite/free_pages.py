"""Overwrites the free pages of a file: what was deleted stays in them until something else takes their place."""

from prequel.shared.sqlite.opening import Connection

STEP_BYTES = 4 * 2**20
"""Of zeros in one transaction, during which nobody else writes: some ten milliseconds. With half, twice the syncs."""


class FreePages:
    """Overwrites the pages that are free now, a step at a time. For one thread at a time.

    SQLite fills free pages before it lets a file grow. So a table of zeros is filled until none of them is left, and
    then emptied again: a page that becomes free keeps what it has, the zeros.
    """

    def __init__(self) -> None:
        self._to_fill: int | None = None
        """Pages; None before it has begun."""

    def step(self, connection: Connection) -> bool:
        """One transaction, durable on return; whether all is done. Blocks; raises sqlite3.Error, and goes on then."""
        if self._to_fill is None:
            self._to_fill = self._begin(connection)
        elif self._to_fill > 0:
            self._to_fill -= self._fill(connection)
        elif not self._empty(connection):
            connection.execute("DROP TABLE zeros")
            self._to_fill = None
            return True
        return False

    def _begin(self, connection: Connection) -> int:
        connection.execute("DROP TABLE IF EXISTS zeros")  # Where a process was killed before it had emptied it.
        connection.execute("CREATE TABLE zeros (zeros BLOB NOT NULL)")
        return _number(connection, "freelist_count")

    def _fill(self, connection: Connection) -> int:
        """How many pages were filled; all that remain, where none is free any more."""
        assert self._to_fill is not None
        page = _number(connection, "page_size")
        pages = min(self._to_fill, max(1, STEP_BYTES // page))
        connection.execute("INSERT INTO zeros VALUES (zeroblob(?))", (_blob_bytes(pages, page),))
        return pages if _number(connection, "freelist_count") else self._to_fill

    def _empty(self, connection: Connection) -> bool:
        """Whether there was still something to remove."""
        first = "DELETE FROM zeros WHERE rowid = (SELECT min(rowid) FROM zeros)"
        return connection.execute(first).rowcount > 0


def _number(connection: Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)


def _blob_bytes(pages: int, page_bytes: int) -> int:
    """Bytes of a blob that fills so many pages to their last byte, beside the row's own (SQLite's file format, 1.6)."""
    row_bytes = (page_bytes - 12) * 32 // 255 - 23
    record = row_bytes + pages * (page_bytes - 4)
    for type_bytes in range(1, 10):
        size = record - 1 - type_bytes
        if (2 * size + 12).bit_length() <= 7 * type_bytes:
            return size
    raise AssertionError("a number of 63 bits fits into 9 bytes")
