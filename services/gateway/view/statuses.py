"""The learners' status of each stream, from the store, at most a quarter of a second old, or the newest known."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from prequel.services.gateway.http.schemas import EXCLUDED_STATUS_FIELDS
from prequel.services.gateway.view.deletions import StreamDeletions
from prequel.services.gateway.view.partition_statuses import PartitionStatuses
from prequel.services.gateway.view.read_your_writes import ReadYourWrites, includes
from prequel.services.gateway.view.status_cache import CachedStatus, StatusCache
from prequel.services.gateway.view.store_reads import StoreReads
from prequel.shared import status
from prequel.shared.log.base import Position
from prequel.shared.runtime.deadlines import DELETED_STATUS_S, READ_YOUR_WRITES_BACKOFF, READ_YOUR_WRITES_S
from prequel.shared.status import StreamStatus
from prequel.shared.store.base import StoreUnavailable

READ_STREAMS = 100
"""Statuses in one read, some hundred kilobytes: one read of thousands would not be done within STORE_READ_S."""

_log = logging.getLogger(__name__)


class StreamStatuses:
    """Call it on the event loop only. Every call raises StoreUnavailable where nothing is known.

    While the store is away or hangs, the newest known status is answered, at once, and ``age`` says how old it is. A
    status that cannot be read (of another version, or damaged) counts as none and is logged once: a learner that runs
    replaces it.
    """

    def __init__(self, store: StoreReads, clock: Callable[[], float], read_your_writes: ReadYourWrites) -> None:
        self._store, self._clock, self._read_your_writes = store, clock, read_your_writes
        self.partitions = PartitionStatuses(store, clock)
        self._cache = StatusCache(clock)
        self._names: list[str] | None = None
        self._reads: dict[str, asyncio.Task[CachedStatus | None]] = {}
        self._deletions = StreamDeletions()

    def stream_deleted(self, stream: str, command: Position) -> None:
        """Ignore statuses from before the deletion, which the store may have a little longer."""
        self._cache.forget(stream)
        self._deletions.add(stream, command)

    async def get(self, stream: str, after: Position | None = None, *, fresh: bool = False) -> StreamStatus | None:
        """The status, including every event that a client was told has taken effect; with ``after``, that event too.

        Waits READ_YOUR_WRITES_S at most until a learner has published it, then answers the newest there is. ``fresh``:
        reads the store now; raises StoreUnavailable where that fails.
        """
        required = self._read_your_writes.required(stream)
        await self._wait_for(stream, after if after and (required is None or after > required) else required)
        known = self._valid(await (self._read_now(stream) if fresh else self._newest(stream)))
        if known:
            # For ``summary``: the partition's snapshot is newer than the one in any status.
            await self.partitions.get(Position.parse(known.position).partition)
        return known

    async def newest(self, stream: str) -> StreamStatus | None:
        """The newest status there is. Does not wait for events to be included; raises StoreUnavailable."""
        return self._valid(await self._newest(stream))

    async def exists(self, stream: str) -> bool:
        """Whether any learner publishes a status of it. Does not wait for events to be included."""
        cached = await self._newest(stream)
        return cached is not None and cached.status is not None

    async def remains(self, stream: str) -> bool:
        """Whether it has a status, and keeps it for longer than one remains of a stream that was deleted just now.

        Blocks DELETED_STATUS_S at most; raises StoreUnavailable.
        """
        deadline, tries = asyncio.get_running_loop().time() + DELETED_STATUS_S, 0
        while await self.newest(stream):
            if asyncio.get_running_loop().time() > deadline:
                return True
            tries += 1
            await asyncio.sleep(READ_YOUR_WRITES_BACKOFF.pause(tries, random.random()))
        return False

    async def all(self) -> list[StreamStatus]:
        """Every stream's status; the newest known of those that cannot be read now."""
        streams = self._read_your_writes.streams()
        await asyncio.gather(*(self._wait_for(name, self._read_your_writes.required(name)) for name in streams))
        names = await self.names()
        read = await self._read_all([name for name in names if not self._cache.is_fresh(name)])
        known = [valid for name in names if (valid := self._valid(read.get(name) or self._cache.get(name)))]
        for number in sorted({Position.parse(known_status.position).partition for known_status in known}):
            await self.partitions.get(number)
        return known

    async def names(self) -> list[str]:
        """The name of every stream in the store; the newest known while it cannot be read."""
        try:
            self._names = status.streams(await self._store.keys(status.PREFIX))
        except StoreUnavailable:
            if self._names is None:
                raise
        return self._names

    async def check(self) -> None:
        """Raises StoreUnavailable if the store cannot be read now."""
        await self._store.get(status.PREFIX)

    def summary(self, stream_status: StreamStatus) -> dict[str, Any]:
        """A status as HTTP answers have it, with the snapshot's age."""
        answer = stream_status.model_dump(exclude=EXCLUDED_STATUS_FIELDS)
        snapshot = self.partitions.snapshot(stream_status, Position.parse(stream_status.position).partition)
        answer["snapshot"] = snapshot.model_dump() if snapshot else None
        answer["snapshot_age"] = max(0.0, self._clock() - snapshot.at) if snapshot else None
        answer["age_seconds"] = self.age(stream_status.stream)
        return answer

    def age(self, stream: str) -> float:
        """Seconds since the cached status was read from the store: many only while the store is away."""
        return self._cache.age(stream)

    def close(self) -> None:
        self._store.close()

    async def _wait_for(self, stream: str, required: Position | None) -> None:
        """Read until the status includes the event, or the stream is deleted; give up after READ_YOUR_WRITES_S."""
        if required is None:
            return None
        cached, deadline, tries = self._cache.get(stream), asyncio.get_running_loop().time() + READ_YOUR_WRITES_S, 0
        while not (
            includes(cached.position if cached else None, required) or self._deletions.is_before(stream, required)
        ):
            if asyncio.get_running_loop().time() > deadline:
                return self._read_your_writes.give_up(stream, required)
            if tries:
                await asyncio.sleep(READ_YOUR_WRITES_BACKOFF.pause(tries, random.random()))
            tries += 1
            try:
                cached = await self._read_once(stream)
            except StoreUnavailable:
                return None
        return None

    def _valid(self, cached: CachedStatus | None) -> StreamStatus | None:
        """The status, unless it is older than the deletion of its stream."""
        known = cached.status if cached else None
        return known if known and not self._deletions.is_before(known.stream, Position.parse(known.position)) else None

    async def _read_now(self, stream: str) -> CachedStatus | None:
        """Raises StoreUnavailable."""
        if running := self._reads.get(stream):
            await asyncio.wait({running})  # That read began earlier, and may have missed what is in the store now.
        return await self._read_once(stream)

    async def _newest(self, stream: str) -> CachedStatus | None:
        """Raises StoreUnavailable only where nothing is known."""
        cached = self._cache.get(stream)
        if self._cache.is_fresh(stream):
            return cached
        try:
            return await self._read_once(stream)
        except StoreUnavailable:
            if cached is None:
                raise
            return cached

    async def _read_once(self, stream: str) -> CachedStatus | None:
        """One read of the store, however many requests ask at one time."""
        if stream not in self._reads:
            self._reads[stream] = asyncio.create_task(self._read(stream))
            self._reads[stream].add_done_callback(_log_unexpected_error)
        # Shielded: when one client hangs up, the others still wait for this task.
        return await asyncio.shield(self._reads[stream])

    async def _read(self, stream: str) -> CachedStatus | None:
        try:
            raw = await self._store.get(status.key(stream))
            if raw is None:
                self._cache.forget(stream)
                return None
            cached = self._cache.decode(stream, raw)
            self._cache.put(stream, cached)
            return cached
        finally:
            del self._reads[stream]

    async def _read_all(self, streams: Sequence[str]) -> dict[str, CachedStatus]:
        """Together, and decoded off the event loop: one by one, hundreds would take longer than they stay fresh.

        Those that the store does not give now are missing; /readyz says why.
        """
        read: dict[str, CachedStatus] = {}
        try:
            for start in range(0, len(streams), READ_STREAMS):
                names = list(streams[start : start + READ_STREAMS])
                keys = [status.key(name) for name in names]
                read |= await self._store.get_all(keys, partial(self._decode_all, names))
        except StoreUnavailable:
            pass
        for name, cached in read.items():
            self._cache.put(name, cached)
        return read

    def _decode_all(self, streams: Sequence[str], raws: dict[str, bytes]) -> dict[str, CachedStatus]:
        values = ((name, raws.get(status.key(name))) for name in streams)
        return {name: self._cache.decode(name, raw) for name, raw in values if raw is not None}


def _log_unexpected_error(read: "asyncio.Task[CachedStatus | None]") -> None:
    """Retrieve the error of a read whose request has ended: otherwise asyncio logs it as never retrieved.

    StoreUnavailable is not logged, since /readyz shows it; any other error is a bug.
    """
    error = None if read.cancelled() else read.exception()
    if error and not isinstance(error, StoreUnavailable):
        _log.error("a status could not be read", exc_info=error)
