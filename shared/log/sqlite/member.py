"""A member of a consumer group of the embedded log: partitions come and go, records of those it owns are read."""

import time
from collections.abc import Mapping
from contextlib import suppress

from prequel.shared.log.base import LogUnavailable, Polled
from prequel.shared.log.sqlite.group import Groups, Ownership
from prequel.shared.log.sqlite.reader import SqliteReader
from prequel.shared.log.sqlite.topic import Topic

Change = tuple[tuple[int, ...], tuple[int, ...]]


class SqliteMember:
    """One member of a consumer group over one topic (see shared.log.base.Member)."""

    def __init__(self, groups: Groups, group: str, topic: Topic, member: str, *, max_bytes: int) -> None:
        self._groups, self._group, self._topic, self._member = groups, group, topic, member
        self._reader = SqliteReader(topic, {}, max_bytes=max_bytes)
        self._entered = False
        self._since: dict[int, int] = {}
        self._generation = 0
        self._renewed: float | None = None
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> Polled:
        if self._closed:
            raise LogUnavailable(f"this member of {self._group} is closed")
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self._topic.bell.rings
            assigned, lost = self._follow_group()
            # A change is told at once and alone: should reading fail, it would be lost.
            records = [] if assigned or lost else self._reader.take(max_records)
            if records or assigned or lost or time.monotonic() >= deadline:
                return Polled(records, assigned, lost, self._generation)
            self._reader.wait(seen, deadline)

    def _follow_group(self) -> Change:
        """Partitions newly assigned and lost since the last call."""
        if not self._entered:
            self._groups.enter(self._group, self._topic, self._member)
            self._entered = True
            self._topic.bell.ring()
        elif not self._due() and self._groups.generation(self._group, self._topic.name) == self._generation:
            return (), ()
        now = self._groups.clock()
        ownership = self._groups.renew(self._group, self._topic, self._member)
        self._renewed = now
        return self._put_out() if ownership is None else self._change(ownership)

    def _due(self) -> bool:
        renewed = self._renewed
        return renewed is None or abs(self._groups.clock() - renewed) > self._groups.lease_s / 4

    def _put_out(self) -> Change:
        """We were away too long: tell so, and enter again at the next poll."""
        self._groups.withdraw(self._member)
        self._entered = False
        return self._change(Ownership(self._generation, {}))

    def _change(self, now: Ownership) -> Change:
        lost = tuple(sorted(p for p, since in self._since.items() if now.since.get(p) != since))
        assigned = tuple(sorted(p for p in now.since if p not in self._since))
        if now.generation != self._generation:
            self._topic.bell.ring()
        self._generation = now.generation
        self._since = {p: since for p, since in now.since.items() if p not in lost}
        if len(self._since) < len(now.since):  # Lost, and ours again since: lost now, assigned at the next poll.
            self._renewed = None
        for partition in lost:
            self._reader.drop(partition)
        return assigned, lost

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._since:
            raise ValueError(f"{self._topic.name}:{partition} is not ours to read")
        self._reader.seek(partition, offset)

    def committed(self, partition: int) -> int | None:
        return self._groups.committed(self._group, self._topic.name).get(partition)

    def commit(self, positions: Mapping[int, int]) -> bool:
        self._groups.commit(self._group, self._topic.name, self._member, self._since, positions)
        return True

    def close(self) -> None:
        if not self._closed and self._entered:
            with suppress(LogUnavailable):  # The others see by the sign that we are gone, a little later.
                self._groups.leave(self._group, self._topic, self._member)
            self._topic.bell.ring()
        self._closed = True
        self._reader.close()
