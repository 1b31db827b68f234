"""The learners' status of each stream, from the store, at most a quarter of a second old, or the newest known."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from prequel.services.gateway.blocking_calls import Bounded, Late
from prequel.services.gateway.http.answers import OWN_CALLS
from prequel.services.gateway.view.ends import Ends
from prequel.services.gateway.view.promises import Promises, shows
from prequel.shared import status
from prequel.shared.log.base import Position
from prequel.shared.runtime.deadlines import READ_YOUR_WRITES_BACKOFF, READ_YOUR_WRITES_S, STORE_BACKOFF, STORE_READ_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.retry import Attempts
from prequel.shared.status import PartitionStatus, StreamStatus
from prequel.shared.store.base import Store, StoreUnavailable

FRESH_SECONDS = 0.25
KEPT = 10_000
THREADS = 2
TOGETHER = 100
"""Statuses in one read: some hundred kilobytes."""

_log = logging.getLogger(__name__)


class Kept(NamedTuple):
    """One stream's status as it was in the store at ``at``; None where that was no status."""

    at: float
    raw: bytes
    status: StreamStatus | None


class Statuses:
    """Reads the store off the event loop. Every call raises StoreUnavailable where nothing is known.

    While the store is away or hangs, the newest known is answered, at once, and ``age`` tells how old it is. What is no
    status there (of another version, or damaged) is as good as none, and said once: a learner replaces it.
    """

    def __init__(
        self, store: Store, clock: Callable[[], float], promises: Promises, health: Health, where: str = "the store"
    ) -> None:
        """``where`` names the store on /readyz."""
        self._store, self._clock, self._promises, self._where = store, clock, promises, where
        self._kept: dict[str, Kept] = {}
        self._names: list[str] | None = None
        self._reading: dict[str, asyncio.Task[Kept | None]] = {}
        self._partitions: dict[int, tuple[float, PartitionStatus | None]] = {}
        self._unreadable: set[str] = set()
        self._ends = Ends()
        self._threads = Bounded("gateway-store", THREADS, STORE_READ_S)
        self._attempts = Attempts("gateway: store", health, STORE_BACKOFF)

    def ended(self, stream: str, command: Position) -> None:
        """A stream was deleted: a status of the time before is none, though the store may have it a little longer."""
        self._kept.pop(stream, None)
        self._ends.add(stream, command)

    async def get(self, stream: str, after: Position | None = None, *, fresh: bool = False) -> StreamStatus | None:
        """The status, showing whatever has been promised of the stream; with ``after``, that event too.

        Waits for a learner to publish that, PROMISE_S at most; then what there is has to do. ``fresh``: as it is in the
        store now; raises StoreUnavailable where that cannot be read.
        """
        promised = self._promises.of(stream)
        await self._shown(stream, after if after and (promised is None or after > promised) else promised)
        known = self._of(await (self._now(stream) if fresh else self._newest(stream)))
        if known:
            await self.partition(Position.parse(known.position).partition)  # its snapshot is newer than any status
        return known

    async def exists(self, stream: str) -> bool:
        """Whether some learner tells of it. Waits for no promise: that it shows an event is of no interest here."""
        kept = await self._newest(stream)
        return kept is not None and kept.status is not None

    async def all(self) -> list[StreamStatus]:
        """Every stream's status, the newest known of those that cannot be read now."""
        await asyncio.gather(*(self._shown(name, self._promises.of(name)) for name in self._promises.streams()))
        names = await self.names()
        read = await self._read_all([name for name in names if not self._fresh(name)])
        known = [told for name in names if (told := self._of(read.get(name) or self._kept.get(name)))]
        for number in sorted({Position.parse(each.position).partition for each in known}):
            await self.partition(number)
        return known

    async def names(self) -> list[str]:
        """Of every stream in the store, the newest known where that cannot be read now."""
        try:
            self._names = status.streams(await self._call(self._store.keys, status.PREFIX))
        except StoreUnavailable:
            if self._names is None:
                raise
        return self._names

    async def partition(self, number: int) -> PartitionStatus | None:
        """What a partition's learner tells of it, at most a quarter of a second old, or the newest known."""
        told = self._partitions.get(number)
        if told is None or not 0 <= self._clock() - told[0] < FRESH_SECONDS:
            try:
                raw = await self._call(self._store.get, status.partition_key(number))
                told = self._clock(), PartitionStatus.model_validate_json(raw or b"")
            except ValidationError:
                told = self._clock(), None
            except StoreUnavailable:
                return told[1] if told else None
            self._partitions[number] = told
        return told[1]

    async def check(self) -> None:
        """Raises StoreUnavailable if the store cannot be read now."""
        await self._call(self._store.get, status.PREFIX)

    def summary(self, each: StreamStatus) -> dict[str, Any]:
        """A status as it is answered, with the snapshot's age; curve and confusion have calls of their own."""
        answer = each.model_dump(exclude=OWN_CALLS)
        told = self._partitions.get(Position.parse(each.position).partition)
        snapshot = told[1].snapshot if told and told[1] else each.snapshot
        answer["snapshot"] = snapshot.model_dump() if snapshot else None
        answer["snapshot_age"] = max(0.0, self._clock() - snapshot.at) if snapshot else None
        answer["age_seconds"] = self.age(each.stream)
        return answer

    def age(self, stream: str) -> float:
        """Seconds since the store last said what is known of a stream: many only while it is away."""
        kept = self._kept.get(stream)
        return max(0.0, self._clock() - kept.at) if kept else 0.0

    def close(self) -> None:
        self._threads.close()

    async def _shown(self, stream: str, promised: Position | None) -> None:
        """Read until the status shows it, or the stream is deleted. A promise not kept in time is given up."""
        if promised is None:
            return None
        kept, deadline, tries = self._kept.get(stream), asyncio.get_running_loop().time() + READ_YOUR_WRITES_S, 0
        while not (shows(_position(kept), promised) or self._ends.cover(stream, promised)):
            if asyncio.get_running_loop().time() > deadline:
                return self._promises.give_up(stream, promised)
            if tries:
                await asyncio.sleep(READ_YOUR_WRITES_BACKOFF.pause(tries, random.random()))
            tries += 1
            try:
                kept = await self._read_once(stream)
            except StoreUnavailable:
                return None
        return None

    def _of(self, kept: Kept | None) -> StreamStatus | None:
        """What it says, unless that is of the time before the stream was deleted."""
        known = kept.status if kept else None
        return known if known and not self._ends.cover(known.stream, Position.parse(known.position)) else None

    async def _now(self, stream: str) -> Kept | None:
        """Raises StoreUnavailable."""
        if begun := self._reading.get(stream):
            await asyncio.wait({begun})  # It may not have met what is there by now.
        return await self._read_once(stream)

    async def _newest(self, stream: str) -> Kept | None:
        """Raises StoreUnavailable only where nothing is known."""
        kept = self._kept.get(stream)
        if self._fresh(stream):
            return kept
        try:
            return await self._read_once(stream)
        except StoreUnavailable:
            if kept is None:
                raise
            return kept

    async def _read_once(self, stream: str) -> Kept | None:
        """However many ask at one time, the store is asked once."""
        if stream not in self._reading:
            self._reading[stream] = asyncio.create_task(self._read(stream))
            self._reading[stream].add_done_callback(_unheard)
        return await asyncio.shield(self._reading[stream])

    async def _read(self, stream: str) -> Kept | None:
        try:
            raw = await self._call(self._store.get, status.key(stream))
            before = self._kept.pop(stream, None)
            if raw is None:
                return None
            known = before.status if before and before.raw == raw else self._decoded(stream, raw)
            kept = Kept(self._clock(), raw, known)
            if len(self._kept) < KEPT:
                self._kept[stream] = kept
            return kept
        finally:
            del self._reading[stream]

    def _fresh(self, stream: str) -> bool:
        kept = self._kept.get(stream)
        return kept is not None and 0 <= self._clock() - kept.at < FRESH_SECONDS

    async def _read_all(self, streams: Sequence[str]) -> dict[str, Kept]:
        """Together, and decoded off the event loop: one by one, hundreds would take longer than they stay fresh.

        What the store does not tell now is missing.
        """
        read: dict[str, Kept] = {}
        try:
            for at in range(0, len(streams), TOGETHER):
                read |= await self._call(self._read_some, list(streams[at : at + TOGETHER]))
        except StoreUnavailable:
            pass  # said on /readyz by _call; the newest known is answered
        self._kept.update((name, kept) for name, kept in read.items() if name in self._kept or len(self._kept) < KEPT)
        return read

    def _read_some(self, streams: Sequence[str]) -> dict[str, Kept]:
        raws = self._store.get_all([status.key(name) for name in streams])
        now, found = self._clock(), {}
        for name in streams:
            raw, before = raws.get(status.key(name)), self._kept.get(name)
            if raw is not None:
                known = before.status if before and before.raw == raw else self._decoded(name, raw)
                found[name] = Kept(now, raw, known)
        return found

    def _decoded(self, stream: str, raw: bytes) -> StreamStatus | None:
        try:
            decoded = StreamStatus.model_validate_json(raw)
        except ValidationError as error:
            if stream not in self._unreadable:
                _log.warning(
                    "stream %s is not shown: its status in the store is none of this version: %s", stream, error
                )
            self._unreadable.add(stream)
            return None
        self._unreadable.discard(stream)
        return decoded

    async def _call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """Raises StoreUnavailable, at once while the store is known to be away: only now and then one call tries it."""
        if not self._attempts.due:
            raise StoreUnavailable(self._attempts.reason)
        try:
            found = await self._threads.run(lambda: function(argument))
        except Late as late:
            error = StoreUnavailable(f"{self._where} hangs: {late}; check it, and the network to it")
            self._attempts.failed(error)
            raise error from None
        except StoreUnavailable as error:
            self._attempts.failed(error)
            raise
        self._attempts.worked()
        return found


def _unheard(read: "asyncio.Task[Kept | None]") -> None:
    """Whoever waited may be gone by now: that the store is away is said on /readyz, anything else is a bug."""
    error = None if read.cancelled() else read.exception()
    if error and not isinstance(error, StoreUnavailable):
        _log.error("a status could not be read", exc_info=error)


def _position(kept: Kept | None) -> str | None:
    return kept.status.position if kept and kept.status else None
