"""The embedded store: small values and fenced roots in one SQLite file, every write synced to the disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from prequel.shared.runtime.deadlines import SQLITE_BUSY_S
from prequel.shared.sqlite.database import Connection, Database, FileFormat
from prequel.shared.store.base import Fence, Fenced, StoreUnavailable

_SCHEMA = (
    "CREATE TABLE items (key TEXT PRIMARY KEY, incarnation INTEGER, generation INTEGER, owner TEXT, value BLOB)",
)

_ADD = (
    "INSERT INTO items (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    " WHERE items.value IS NULL"
)

KEYS_PER_QUERY = 500
"""SQLite takes at least 999 variables in one query."""

LAST_CHARACTER = "\U0010ffff"
"""The largest there is: no key that begins with a prefix comes after the prefix followed by this."""


class SqliteStore:
    """shared.store.base.Store in one file of one machine's own disk (not NFS). Nothing is opened before the first call.

    ``create`` False: a file that does not exist is an error, for commands that only look.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = SQLITE_BUSY_S, create: bool = True) -> None:
        self._database = Database(
            path,
            FileFormat("PQst", 1, _SCHEMA),
            error=StoreUnavailable,
            busy_timeout_s=busy_timeout_s,
            create=create,
        )

    def get(self, key: str) -> bytes | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM items WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, value: bytes) -> None:
        with self._database.writing(len(value)) as connection:
            _set(connection, key, value)

    def put_all(self, values: Mapping[str, bytes]) -> None:
        with self._database.writing(sum(map(len, values.values()))) as connection:
            for key, value in values.items():
                _set(connection, key, value)

    def add_all(self, values: Mapping[str, bytes]) -> dict[str, bytes]:
        with self._database.writing(sum(map(len, values.values()))) as connection:
            connection.executemany(_ADD, values.items())
        return self.get_all(list(values))

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        values: dict[str, bytes] = {}
        with self._database.reading() as connection:
            for start in range(0, len(keys), KEYS_PER_QUERY):
                chunk = keys[start : start + KEYS_PER_QUERY]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT key, value FROM items WHERE key IN ({marks}) AND value IS NOT NULL"
                values |= dict(connection.execute(query, chunk).fetchall())
        return values

    def delete(self, keys: Sequence[str]) -> None:
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM items WHERE key = ?", [(key,) for key in keys])

    def keys(self, prefix: str) -> list[str]:
        return self._list(prefix, "")

    def keys_with_values(self, prefix: str) -> list[str]:
        return self._list(prefix, "AND value IS NOT NULL")

    def _list(self, prefix: str, condition: str) -> list[str]:
        # A range of the primary key, which has an index. LIKE and GLOB would give characters in the prefix a meaning.
        query = f"SELECT key FROM items WHERE key >= ? AND key <= ? {condition} ORDER BY key"
        with self._database.reading() as connection:
            rows = connection.execute(query, (prefix, prefix + LAST_CHARACTER)).fetchall()
        return [key for (key,) in rows if key.startswith(prefix)]

    def acquire(self, key: str, fence: Fence) -> bytes | None:
        with self._database.writing() as connection:
            owner = _owner(connection, key)
            if owner and owner[:2] > fence[:2]:
                raise Fenced(f"{key} belongs to {owner}, which is newer than {fence}")
            connection.execute("INSERT OR IGNORE INTO items (key) VALUES (?)", (key,))
            update = "UPDATE items SET incarnation = ?, generation = ?, owner = ? WHERE key = ? RETURNING value"
            rows: list[tuple[bytes | None]] = connection.execute(update, (*fence, key)).fetchall()
        return rows[0][0]

    def swap(self, key: str, fence: Fence, value: bytes, delete: Sequence[str] = ()) -> None:
        # One transaction: the check, the new root, and the end of what it does not name any more.
        with self._database.writing(len(value)) as connection:
            owner = _owner(connection, key)
            if owner != fence:
                raise Fenced(f"{key} belongs to {owner}, not to {fence} any more")
            _set(connection, key, value)
            plain = "DELETE FROM items WHERE key = ? AND owner IS NULL"
            connection.executemany(plain, [(name,) for name in delete])

    def scrub(self, *, begin: bool) -> bool:
        """See shared.store.scrubbable.ScrubbableStore."""
        return self._database.scrub(begin=begin)

    def close(self) -> None:
        """Release the file. May be called again; any other call then raises StoreUnavailable."""
        self._database.close()


def _set(connection: Connection, key: str, value: bytes) -> None:
    # Not INSERT OR REPLACE: that would delete the row, and with it the fence.
    insert = "INSERT INTO items (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    connection.execute(insert, (key, value))


def _owner(connection: Connection, key: str) -> Fence | None:
    """The fence that acquired the key last, None where nobody ever did."""
    query = "SELECT incarnation, generation, owner FROM items WHERE key = ? AND owner IS NOT NULL"
    row = connection.execute(query, (key,)).fetchone()
    return Fence(*row) if row else None
