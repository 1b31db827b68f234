"""The learners' status of each stream, from the store, at most a quarter of a second old, or the newest known."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import ValidationError

from services.gateway.answers import OWN_CALLS
from services.gateway.bounded import Bounded, Late
from services.gateway.promises import Promises, shows
from shared import status
from shared.deadlines import PROMISE_AGAIN, PROMISE_S, STORE_AGAIN, STORE_READ_S
from shared.health import Health
from shared.log import Position
from shared.retry import Attempts
from shared.status import StreamStatus
from shared.store import Store, StoreUnavailable

FRESH_SECONDS = 0.25
KEPT = 10_000
THREADS = 2

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
        self._unreadable: set[str] = set()
        self._threads = Bounded("gateway-store", THREADS, STORE_READ_S)
        self._attempts = Attempts("gateway: store", health, STORE_AGAIN)

    async def get(self, stream: str, after: Position | None = None) -> StreamStatus | None:
        """The status, showing whatever has been promised of the stream; with ``after``, that event too.

        Waits for a learner to publish that, PROMISE_S at most; then what there is has to do.
        """
        promised = self._promises.of(stream)
        await self._shown(stream, after if after and (promised is None or after > promised) else promised)
        kept = await self._newest(stream)
        return kept.status if kept else None

    async def all(self) -> list[StreamStatus]:
        await asyncio.gather(*(self._shown(name, self._promises.of(name)) for name in self._promises.streams()))
        try:
            self._names = status.streams(await self._call(self._store.keys, status.PREFIX))
        except StoreUnavailable:
            if self._names is None:
                raise
        found = [await self._newest_known(name) for name in self._names]
        return [each.status for each in found if each and each.status]

    async def check(self) -> None:
        """Raises StoreUnavailable if the store cannot be read now."""
        await self._call(self._store.get, status.PREFIX)

    def summary(self, each: StreamStatus) -> dict[str, Any]:
        """A status without its curve and confusion (which have calls of their own), with the snapshot's age."""
        answer = each.model_dump(exclude=OWN_CALLS)
        answer["snapshot_age"] = max(0.0, self._clock() - each.snapshot.at) if each.snapshot else None
        answer["age_seconds"] = self.age(each.stream)
        return answer

    def age(self, stream: str) -> float:
        """Seconds since the store last said what is known of a stream: many only while it is away."""
        kept = self._kept.get(stream)
        return max(0.0, self._clock() - kept.at) if kept else 0.0

    def close(self) -> None:
        self._threads.close()

    async def _shown(self, stream: str, promised: Position | None) -> None:
        """Read until the status shows it. A promise that is not kept in time is given up."""
        if promised is None:
            return None
        kept, deadline, tries = self._kept.get(stream), asyncio.get_running_loop().time() + PROMISE_S, 0
        while not shows(_position(kept), promised):
            if asyncio.get_running_loop().time() > deadline:
                return self._promises.give_up(stream, promised)
            if tries:
                await asyncio.sleep(PROMISE_AGAIN.pause(tries, random.random()))
            tries += 1
            try:
                kept = await self._read_once(stream)
            except StoreUnavailable:
                return None
        return None

    async def _newest_known(self, stream: str) -> Kept | None:
        try:
            return await self._newest(stream)
        except StoreUnavailable:
            return None

    async def _newest(self, stream: str) -> Kept | None:
        """Raises StoreUnavailable only where nothing is known."""
        kept = self._kept.get(stream)
        if kept and 0 <= self._clock() - kept.at < FRESH_SECONDS:
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
        """Raises StoreUnavailable, at once while the store is known to be away: only now and then one call tries it."""
        if not self._attempts.due:
            raise StoreUnavailable(self._attempts.reason)
        try:
            found = await self._threads.run(lambda: function(key))
        except Late as late:
            error = StoreUnavailable(f"{self._where} hangs: {late}; check it, and the network to it")
            self._attempts.failed(error)
            raise error from None
        except StoreUnavailable as error:
            self._attempts.failed(error)
            raise
        self._attempts.worked()
        return found


def _position(kept: Kept | None) -> str | None:
    return kept.status.position if kept and kept.status else None
