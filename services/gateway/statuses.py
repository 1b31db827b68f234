"""The learners' status of each stream, from the store, at most a quarter of a second old."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from pydantic import ValidationError

from services.gateway.answers import OWN_CALLS
from shared import status
from shared.log import Position
from shared.status import StreamStatus
from shared.store import Store

FRESH_SECONDS = 0.25
KEPT = 10_000

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
        self._unreadable: set[str] = set()
        self._ends: OrderedDict[str, Position] = OrderedDict()
        self._threads = ThreadPoolExecutor(2, "gateway-store")

    def ended(self, stream: str, command: Position) -> None:
        """A stream was deleted: a status of the time before is none, though the store may have it a little longer."""
        self._kept.pop(stream, None)
        self._ends[stream] = command
        self._ends.move_to_end(stream)
        if len(self._ends) > KEPT:
            self._ends.popitem(last=False)

    async def get(self, stream: str, *, fresh: bool = False) -> StreamStatus | None:
        """``fresh``: as it is in the store now."""
        found = await self._get(stream, fresh)
        return None if found and self._is_over(found) else found

    def _is_over(self, found: StreamStatus) -> bool:
        end, position = self._ends.get(found.stream), Position.parse(found.position)
        return end is not None and position.partition == end.partition and position <= end

    async def _get(self, stream: str, fresh: bool) -> StreamStatus | None:
        kept = self._kept.get(stream)
        if not fresh and kept and 0 <= self._clock() - kept.at < FRESH_SECONDS:
            return kept.status
        if stream not in self._reading:
            self._reading[stream] = asyncio.create_task(self._read(stream))
        kept = await asyncio.shield(self._reading[stream])
        return kept.status if kept else None

    async def all(self) -> list[StreamStatus]:
        names = status.streams(await self._call(self._store.keys, status.PREFIX))
        found = [await self.get(name) for name in names]
        return [each for each in found if each]

    async def check(self) -> None:
        """Raises StoreUnavailable if the store cannot be read now."""
        await self._call(self._store.get, status.PREFIX)

    def summary(self, each: StreamStatus) -> dict[str, Any]:
        """A status without its curve and confusion (which have calls of their own), with the snapshot's age."""
        answer = each.model_dump(exclude=OWN_CALLS)
        answer["snapshot_age"] = max(0.0, self._clock() - each.snapshot.at) if each.snapshot else None
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
