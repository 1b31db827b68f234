"""Consumer groups of the embedded log: leases, who owns which partition since when, committed positions."""

import fcntl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from prequel.shared.log.base import LogUnavailable
from prequel.shared.log.sqlite.connections import Connection, Database
from prequel.shared.log.sqlite.topic import Topic

_SCHEMA = (
    "CREATE TABLE generations (grp TEXT, topic TEXT, generation INTEGER NOT NULL, PRIMARY KEY (grp, topic))",
    "CREATE TABLE members (grp TEXT, topic TEXT, member TEXT, turn INTEGER NOT NULL, renewed REAL NOT NULL,"
    " lease_s REAL NOT NULL, PRIMARY KEY (grp, topic, member))",
    "CREATE TABLE owners (grp TEXT, topic TEXT, partition INTEGER, member TEXT NOT NULL, since INTEGER NOT NULL,"
    " PRIMARY KEY (grp, topic, partition))",
    "CREATE TABLE committed (grp TEXT, topic TEXT, partition INTEGER, position INTEGER NOT NULL,"
    " PRIMARY KEY (grp, topic, partition))",
)
SILENT_LEASES = 6
"""After so many a member is put out although its process lives: paused for good, or it would have polled."""

_OF_GROUP = "grp = ? AND topic = ?"


class Ownership(NamedTuple):
    """What a member owns: partition -> the generation in which it got it."""

    generation: int
    since: dict[int, int]


class Groups:
    """All groups of one log, in one file. Safe to use from several threads; methods block and raise LogUnavailable.

    A member is gone when its process is (it holds a lock on a file of its own, which the kernel lets go), or when it
    has not renewed for SILENT_LEASES times ``lease_s``: a paused process still holds its locks, but so does one whose
    batch takes long, which would never get any further if it were put out before each commit. Every change of who is
    a member raises the generation and deals the partitions anew; whoever keeps a partition keeps it undisturbed.
    """

    def __init__(
        self, directory: Path, *, clock: Callable[[], float], lease_s: float, busy_timeout_s: float, create: bool = True
    ) -> None:
        self.clock, self.lease_s = clock, lease_s
        self._locks = directory / "_members"
        self._signs: dict[str, IO[bytes]] = {}
        self._database = Database(
            directory / "_groups.sqlite",
            kind="PQgr",
            version=1,
            schema=_SCHEMA,
            error=LogUnavailable,
            busy_timeout_s=busy_timeout_s,
            create=create,
        )

    def close(self) -> None:
        """Members that have not left are seen to be gone from now on."""
        self._database.close()
        for member in list(self._signs):
            self.withdraw(member)

    def enter(self, group: str, topic: Topic, member: str) -> None:
        """Become a member, with a sign of life that ends with this process, ``withdraw``, ``leave`` or ``close``."""
        try:
            self._give_sign(member)
            self._enrol((group, topic.name), topic, member)
        except BaseException:
            self._remove_sign(member)  # Each try is another member: their files would run out before the disk has room.
            raise

    def _enrol(self, key: tuple[str, str], topic: Topic, member: str) -> None:
        with self._database.writing() as connection:
            self._sweep(connection, key)
            turns = f"SELECT coalesce(max(turn), 0) FROM members WHERE {_OF_GROUP}"
            (last,) = connection.execute(turns, key).fetchone()
            row = (*key, member, last + 1, self.clock(), self.lease_s)
            connection.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?, ?, ?)", row)
            _deal(connection, key, topic.partitions)

    def _give_sign(self, member: str) -> None:
        try:
            self._locks.mkdir(parents=True, exist_ok=True)
            self._signs[member] = sign = (self._locks / member).open("wb")
            fcntl.flock(sign, fcntl.LOCK_EX)
        except OSError as error:
            raise LogUnavailable(f"{self._locks}: {error}. Give this user write access to that folder") from error

    def withdraw(self, member: str) -> None:
        """Take the sign of life back."""
        sign = self._signs.pop(member, None)
        if sign is not None:
            sign.close()

    def renew(self, group: str, topic: Topic, member: str) -> Ownership | None:
        """Extend the lease and put out who is gone; None if we were put out ourselves."""
        key = (group, topic.name)
        with self._database.writing() as connection:
            update = f"UPDATE members SET renewed = ?, lease_s = ? WHERE {_OF_GROUP} AND member = ?"
            cursor = connection.execute(update, (self.clock(), self.lease_s, *key, member))
            if cursor.rowcount == 0:
                return None
            if self._sweep(connection, key):
                _deal(connection, key, topic.partitions)
            query = f"SELECT partition, since FROM owners WHERE {_OF_GROUP} AND member = ?"
            return Ownership(_generation(connection, key), dict(connection.execute(query, (*key, member)).fetchall()))

    def leave(self, group: str, topic: Topic, member: str) -> None:
        self.withdraw(member)
        key = (group, topic.name)
        with self._database.writing() as connection:
            if connection.execute(f"DELETE FROM members WHERE {_OF_GROUP} AND member = ?", (*key, member)).rowcount:
                _deal(connection, key, topic.partitions)
        self._remove_sign(member)

    def _remove_sign(self, member: str) -> None:
        self.withdraw(member)
        with suppress(OSError):  # A file that nobody locks harms nobody.
            (self._locks / member).unlink(missing_ok=True)

    def generation(self, group: str, topic: str) -> int:
        with self._database.reading() as connection:
            return _generation(connection, (group, topic))

    def committed(self, group: str, topic: str) -> dict[int, int]:
        query = f"SELECT partition, position FROM committed WHERE {_OF_GROUP}"
        with self._database.reading() as connection:
            return dict(connection.execute(query, (group, topic)).fetchall())

    def commit(
        self, group: str, topic: str, member: str, since: Mapping[int, int], positions: Mapping[int, int]
    ) -> None:
        """Record the positions of those partitions that the member has owned without a break."""
        query = f"SELECT partition, since FROM owners WHERE {_OF_GROUP} AND member = ?"
        with self._database.writing() as connection:
            owned = set(connection.execute(query, (group, topic, member)).fetchall()) & set(since.items())
            connection.executemany(
                "INSERT OR REPLACE INTO committed VALUES (?, ?, ?, ?)",
                [(group, topic, partition, positions[partition]) for partition, _ in owned if partition in positions],
            )

    def _sweep(self, connection: Connection, key: tuple[str, str]) -> bool:
        """Put out the members that are gone; whether there were any."""
        now = self.clock()
        query = f"SELECT member, renewed, lease_s FROM members WHERE {_OF_GROUP}"
        members = connection.execute(query, key).fetchall()
        # A lease from the future (the clock was set back) is as void as one from the past.
        gone = [
            name
            for name, renewed, lease_s in members
            if abs(now - renewed) > SILENT_LEASES * lease_s or not self._alive(name)
        ]
        for member in gone:
            connection.execute(f"DELETE FROM members WHERE {_OF_GROUP} AND member = ?", (*key, member))
            (self._locks / member).unlink(missing_ok=True)
        return bool(gone)

    def _alive(self, member: str) -> bool:
        try:
            with (self._locks / member).open("rb") as sign:
                fcntl.flock(sign, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False


def _generation(connection: Connection, key: tuple[str, str]) -> int:
    row = connection.execute(f"SELECT generation FROM generations WHERE {_OF_GROUP}", key).fetchone()
    return row[0] if row else 0


def _deal(connection: Connection, key: tuple[str, str], partitions: int) -> None:
    """Begin a new generation and deal the partitions to the members."""
    generation = _generation(connection, key) + 1
    connection.execute("INSERT OR REPLACE INTO generations VALUES (?, ?, ?)", (*key, generation))
    members = [row[0] for row in connection.execute(f"SELECT member FROM members WHERE {_OF_GROUP} ORDER BY turn", key)]
    query = f"SELECT partition, member, since FROM owners WHERE {_OF_GROUP}"
    before = {partition: (member, since) for partition, member, since in connection.execute(query, key)}
    after = share_out(partitions, members, {partition: member for partition, (member, _) in before.items()})
    connection.execute(f"DELETE FROM owners WHERE {_OF_GROUP}", key)
    for partition, member in after.items():
        owner, since = before.get(partition, ("", 0))
        since = since if owner == member else generation
        connection.execute("INSERT INTO owners VALUES (?, ?, ?, ?, ?)", (*key, partition, member, since))


def share_out(partitions: int, members: Sequence[str], owners: Mapping[int, str]) -> dict[int, str]:
    """Partition -> member: shares differ by one at most, and as few partitions move as that allows."""
    if not members:
        return {}
    held: dict[str, list[int]] = {member: [] for member in members}
    for partition in range(partitions):
        held.get(owners.get(partition, ""), []).append(partition)
    share, extra = divmod(partitions, len(members))
    by_load = sorted(members, key=lambda member: -len(held[member]))
    room = {member: share + (place < extra) for place, member in enumerate(by_load)}
    shares = {member: held[member][: room[member]] for member in members}
    free = sorted(set(range(partitions)).difference(*shares.values()))
    for member in members:
        while len(shares[member]) < room[member]:
            shares[member].append(free.pop(0))
    return {partition: member for member, own in shares.items() for partition in own}
