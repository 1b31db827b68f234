"""Consumer groups of the embedded log: leases, who owns which partition since when, committed positions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from prequel.shared.log.base import LogUnavailable
from prequel.shared.log.sqlite.assignment import assign_partitions
from prequel.shared.log.sqlite.liveness import LivenessLocks
from prequel.shared.log.sqlite.topic import Topic
from prequel.shared.sqlite.database import Connection, Database, FileFormat

_SCHEMA = (
    "CREATE TABLE generations (grp TEXT, topic TEXT, generation INTEGER NOT NULL, PRIMARY KEY (grp, topic))",
    "CREATE TABLE members (grp TEXT, topic TEXT, member TEXT, turn INTEGER NOT NULL, renewed REAL NOT NULL,"
    " lease_s REAL NOT NULL, PRIMARY KEY (grp, topic, member))",
    "CREATE TABLE owners (grp TEXT, topic TEXT, partition INTEGER, member TEXT NOT NULL, since INTEGER NOT NULL,"
    " PRIMARY KEY (grp, topic, partition))",
    "CREATE TABLE committed (grp TEXT, topic TEXT, partition INTEGER, position INTEGER NOT NULL,"
    " PRIMARY KEY (grp, topic, partition))",
)
MAX_SILENT_LEASES = 6
"""A member that has not renewed for so many leases is evicted although its process lives: it is paused for good, or it
would have polled. With one lease, a member whose batch takes longer would be evicted before each commit, and never get
any further; with many more, the partitions of a paused process stand still for minutes."""

_OF_GROUP = "grp = ? AND topic = ?"

_GroupKey = tuple[str, str]
"""Group and topic."""


class Ownership(NamedTuple):
    """What a member owns: partition -> the generation since which it has owned it without a break."""

    generation: int
    since: dict[int, int]


class Groups:
    """All groups of one log, in one file. Thread-safe; methods block and raise LogUnavailable.

    A member is evicted when its process is dead (its lock is free), or when it has not renewed for MAX_SILENT_LEASES
    times ``lease_s``. Every join, leave and eviction begins a new generation, in which the partitions are assigned
    again; whoever keeps a partition keeps its ``since``, and goes on undisturbed.
    """

    def __init__(
        self, directory: Path, *, clock: Callable[[], float], lease_s: float, busy_timeout_s: float, create: bool = True
    ) -> None:
        """``clock``: seconds since the epoch, the same for all processes of the log."""
        self.clock, self.lease_s = clock, lease_s
        self._locks = LivenessLocks(directory / "_members")
        self._database = Database(
            directory / "_groups.sqlite",
            FileFormat("PQgr", 1, _SCHEMA),
            error=LogUnavailable,
            busy_timeout_s=busy_timeout_s,
            create=create,
        )

    def close(self) -> None:
        """Release the file; members that have not left count as dead from now on."""
        self._database.close()
        self._locks.unlock_all()

    def join(self, group: str, topic: Topic, member: str) -> None:
        """Become a member, until ``leave``, ``unlock``, ``close`` or the end of this process.

        1. Lock the liveness file, *before* the member is in the table: the other way round, another process that
           looks in between would find it dead and evict it.
        2. In one transaction: evict dead members, insert this one, assign the partitions.
        """
        try:
            self._locks.lock(member)
            self._insert((group, topic.name), topic, member)
        except BaseException:
            self._locks.remove(member)  # Each try is another member: their files would use up what room is left.
            raise

    def _insert(self, key: _GroupKey, topic: Topic, member: str) -> None:
        with self._database.writing() as connection:
            self._evict_dead(connection, key)
            query = f"SELECT coalesce(max(turn), 0) FROM members WHERE {_OF_GROUP}"
            (last_turn,) = connection.execute(query, key).fetchone()
            row = (*key, member, last_turn + 1, self.clock(), self.lease_s)
            connection.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?, ?, ?)", row)
            _begin_generation(connection, key, topic.partitions)

    def unlock(self, member: str) -> None:
        """Let the member count as dead."""
        self._locks.unlock(member)

    def renew(self, group: str, topic: Topic, member: str) -> Ownership | None:
        """Renew the lease and evict who is dead or silent; None where this member was evicted itself.

        In one transaction, in this order: first its own lease, so that of two members that were both silent the first
        to come back stays; then the others; then the answer, which is that of the newest generation.
        """
        key = (group, topic.name)
        with self._database.writing() as connection:
            update = f"UPDATE members SET renewed = ?, lease_s = ? WHERE {_OF_GROUP} AND member = ?"
            cursor = connection.execute(update, (self.clock(), self.lease_s, *key, member))
            if cursor.rowcount == 0:
                return None
            if self._evict_dead(connection, key):
                _begin_generation(connection, key, topic.partitions)
            return Ownership(_generation(connection, key), _owned(connection, key, member))

    def leave(self, group: str, topic: Topic, member: str) -> None:
        """Give the partitions to the others at once."""
        self._locks.unlock(member)  # First: if the rest fails, the others still find this member dead.
        key = (group, topic.name)
        with self._database.writing() as connection:
            if connection.execute(f"DELETE FROM members WHERE {_OF_GROUP} AND member = ?", (*key, member)).rowcount:
                _begin_generation(connection, key, topic.partitions)
        self._locks.remove(member)

    def generation(self, group: str, topic: str) -> int:
        """0 where the group never had a member."""
        with self._database.reading() as connection:
            return _generation(connection, (group, topic))

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> committed position, where there is one."""
        query = f"SELECT partition, position FROM committed WHERE {_OF_GROUP}"
        with self._database.reading() as connection:
            return dict(connection.execute(query, (group, topic)).fetchall())

    def commit(
        self, group: str, topic: str, member: str, *, since: Mapping[int, int], positions: Mapping[int, int]
    ) -> None:
        """Store the positions of those partitions that the member has owned without a break; durable on return.

        ``since``: what the member knows of its ownership. A partition that was revoked and assigned again has another
        ``since``: the member has not yet learnt of it, and somebody else may have committed in between.
        """
        with self._database.writing() as connection:
            owned = _owned(connection, (group, topic), member).items() & since.items()
            connection.executemany(
                "INSERT OR REPLACE INTO committed VALUES (?, ?, ?, ?)",
                [(group, topic, partition, positions[partition]) for partition, _ in owned if partition in positions],
            )

    def _evict_dead(self, connection: Connection, key: _GroupKey) -> bool:
        """Evict the members that are dead or silent; whether there were any."""
        now = self.clock()
        query = f"SELECT member, renewed, lease_s FROM members WHERE {_OF_GROUP}"
        members = connection.execute(query, key).fetchall()
        # abs(): a lease from the future, written before the clock was set back, would never end.
        evicted = [
            name
            for name, renewed, lease_s in members
            if abs(now - renewed) > MAX_SILENT_LEASES * lease_s or not self._locks.is_alive(name)
        ]
        for member in evicted:
            connection.execute(f"DELETE FROM members WHERE {_OF_GROUP} AND member = ?", (*key, member))
            self._locks.delete(member)
        return bool(evicted)


def _generation(connection: Connection, key: _GroupKey) -> int:
    row = connection.execute(f"SELECT generation FROM generations WHERE {_OF_GROUP}", key).fetchone()
    return row[0] if row else 0


def _owned(connection: Connection, key: _GroupKey, member: str) -> dict[int, int]:
    query = f"SELECT partition, since FROM owners WHERE {_OF_GROUP} AND member = ?"
    return dict(connection.execute(query, (*key, member)).fetchall())


def _begin_generation(connection: Connection, key: _GroupKey, partitions: int) -> None:
    """Assign the partitions to the present members."""
    generation = _generation(connection, key) + 1
    connection.execute("INSERT OR REPLACE INTO generations VALUES (?, ?, ?)", (*key, generation))
    members = [row[0] for row in connection.execute(f"SELECT member FROM members WHERE {_OF_GROUP} ORDER BY turn", key)]
    query = f"SELECT partition, member, since FROM owners WHERE {_OF_GROUP}"
    before = {partition: (member, since) for partition, member, since in connection.execute(query, key)}
    after = assign_partitions(partitions, members, {partition: member for partition, (member, _) in before.items()})
    connection.execute(f"DELETE FROM owners WHERE {_OF_GROUP}", key)
    for partition, member in after.items():
        owner, since = before.get(partition, ("", 0))
        since = since if owner == member else generation
        connection.execute("INSERT INTO owners VALUES (?, ?, ?, ?, ?)", (*key, partition, member, since))
