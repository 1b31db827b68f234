"""The learners' status of each stream, from the store, at most a quarter of a second old."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from pydantic import ValidationError

from services.gateway.answers import OWN_CALLS
from shared import status
from shared.log import Position
from shared.status import PartitionStatus, StreamStatus
from shared.store import Store

FRESH_SECONDS = 0.25
KEPT = 10_000
TOGETHER = 100
"""Statuses in one read: some hundred kilobytes."""

_log = logging.getLogger(__name__)


class Kept(NamedTuple):
    """One stream's status as it was in the store at ``at``; None where that was no status."""

    at: float
    raw: bytes
    status: StreamStatus | None


class Statuses:
    """Reads the store off the event loop. Every call raises StoreUnavailable.

    What is no status there (of another version, or damaged) is as good as none, and said once: a learner replaces it.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._kept: dict[str, Kept] = {}
        self._reading: dict[str, asyncio.Task[Kept | None]] = {}
        self._partitions: dict[int, tuple[float, PartitionStatus | None]] = {}
        self._unreadable: set[str] = set()
        self._threads = ThreadPoolExecutor(2, "gateway-store")

    async def get(self, stream: str) -> StreamStatus | None:
        if self._fresh(stream):
            return self._kept[stream].status
        if stream not in self._reading:
            self._reading[stream] = asyncio.create_task(self._read(stream))
        kept = await asyncio.shield(self._reading[stream])
        if kept and kept.status:
            await self.partition(
                Position.parse(kept.status.position).partition
            )  # its snapshot is newer than any status
        return kept.status if kept else None

    async def all(self) -> list[StreamStatus]:
        names = status.streams(await self._call(self._store.keys, status.PREFIX))
        await self._read_all([name for name in names if not self._fresh(name)])
        found = [each for name in names if (each := await self.get(name))]
        for number in sorted({Position.parse(each.position).partition for each in found}):
            await self.partition(number)
        return found

    async def read(self, key: str) -> bytes | None:
        """Another value of the store."""
        raw: bytes | None = await self._call(self._store.get, key)
        return raw

    async def partition(self, number: int) -> PartitionStatus | None:
        """What a partition's learner tells of it, at most a quarter of a second old."""
        told = self._partitions.get(number)
        if told is None or not 0 <= self._clock() - told[0] < FRESH_SECONDS:
            raw = await self.read(status.partition_key(number))
            try:
                told = self._clock(), PartitionStatus.model_validate_json(raw or b"")
            except ValidationError:
                told = self._clock(), None
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
        return answer

    def close(self) -> None:
        self._threads.shutdown(wait=False)

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

    async def _read_all(self, streams: Sequence[str]) -> None:
        """Together, and decoded off the event loop: one by one, hundreds would take longer than they stay fresh."""
        for at in range(0, len(streams), TOGETHER):
            some = list(streams[at : at + TOGETHER])
            found = await asyncio.get_running_loop().run_in_executor(self._threads, self._read_some, some)
            for name, kept in found.items():
                if name in self._kept or len(self._kept) < KEPT:
                    self._kept[name] = kept

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

    async def _call(self, function: Callable[[str], Any], key: str) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, key)
