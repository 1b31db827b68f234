"""A member of a consumer group of the embedded log: it reads the partitions that are assigned to it."""

import time
from collections.abc import Mapping
from contextlib import suppress

from prequel.shared.log.base import LogUnavailable, PollResult
from prequel.shared.log.sqlite.groups import Groups, Ownership
from prequel.shared.log.sqlite.reader import SqliteReader
from prequel.shared.log.sqlite.topic import Topic

RENEWALS_PER_LEASE = 4
"""A lease is renewed each time a quarter of it has passed: a member that is late three times still keeps it. Each
renewal is a transaction, so twice as many would be two more syncs of the disk every lease."""

_Change = tuple[tuple[int, ...], tuple[int, ...]]
"""Partitions newly assigned, and revoked."""


class SqliteMember:
    """One member of a consumer group over one topic (see shared.log.base.Member)."""

    def __init__(self, groups: Groups, topic: Topic, group: str, member: str, *, max_bytes: int) -> None:
        """``member``: a name that nobody else has; ``max_bytes`` of values in one poll."""
        self._groups, self._group, self._topic, self._member = groups, group, topic, member
        self._reader = SqliteReader(topic, {}, max_bytes=max_bytes)
        self._joined = False
        self._since: dict[int, int] = {}
        self._generation = 0
        self._renewed_at: float | None = None
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> PollResult:
        if self._closed:
            raise LogUnavailable(f"this member of {self._group} is closed")
        deadline = time.monotonic() + timeout_s
        while True:
            seen_count = self._topic.wakeup.count
            assigned, revoked = self._follow_group()
            # A change is returned at once, without records: if reading them failed, the change would be lost.
            records = [] if assigned or revoked else self._reader.read_available(max_records)
            if records or assigned or revoked or time.monotonic() >= deadline:
                return PollResult(records, assigned, revoked, self._generation)
            self._reader.wait(seen_count, deadline)

    def _follow_group(self) -> _Change:
        """Join or renew where that is due; the changes of ownership since the last call.

        In between only the generation is read, which costs no write: it grows with every change.
        """
        if not self._joined:
            self._groups.join(self._group, self._topic, self._member)
            self._joined = True
            self._topic.wakeup.notify()
        elif not self._renewal_due() and self._groups.generation(self._group, self._topic.name) == self._generation:
            return (), ()
        now = self._groups.clock()
        ownership = self._groups.renew(self._group, self._topic, self._member)
        self._renewed_at = now  # The time before the renewal: a slow one must not make the next one late.
        return self._evicted() if ownership is None else self._change(ownership)

    def _renewal_due(self) -> bool:
        renewed_at = self._renewed_at
        return renewed_at is None or abs(self._groups.clock() - renewed_at) > self._groups.lease_s / RENEWALS_PER_LEASE

    def _evicted(self) -> _Change:
        """This member was silent too long: everything is revoked, and the next poll joins again."""
        self._groups.unlock(self._member)
        self._joined = False
        return self._change(Ownership(self._generation, {}))

    def _change(self, now: Ownership) -> _Change:
        """Compare with what was owned before. Another ``since`` means that somebody else had the partition meanwhile.

        Such a partition is revoked now and assigned at the next poll: never both in one result, whose reader could
        not tell which came first.
        """
        revoked = tuple(sorted(p for p, since in self._since.items() if now.since.get(p) != since))
        assigned = tuple(sorted(p for p in now.since if p not in self._since))
        if now.generation != self._generation:
            self._topic.wakeup.notify()
        self._generation = now.generation
        self._since = {p: since for p, since in now.since.items() if p not in revoked}
        if len(self._since) < len(now.since):
            self._renewed_at = None  # Revoked and assigned again: makes the next poll look, though nothing changed.
        for partition in revoked:
            self._reader.remove(partition)
        return assigned, revoked

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._since:
            raise ValueError(f"{self._topic.name}:{partition} is not owned by this member of {self._group}")
        self._reader.seek(partition, offset)

    def committed(self, partition: int) -> int | None:
        return self._groups.committed(self._group, self._topic.name).get(partition)

    def commit(self, positions: Mapping[int, int]) -> bool:
        self._groups.commit(self._group, self._topic.name, self._member, since=self._since, positions=positions)
        return True

    def close(self) -> None:
        if not self._closed and self._joined:
            with suppress(LogUnavailable):  # The others find by the lock that this member is dead, a little later.
                self._groups.leave(self._group, self._topic, self._member)
            self._topic.wakeup.notify()
        self._closed = True
        self._reader.close()
