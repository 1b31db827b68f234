"""The parts of a status that grow with the stream, from its learner, or as its newest snapshot left them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from pydantic import ValidationError

from services.gateway.remote_learner import LearnerUnavailable
from shared import status
from shared.status import Queries, StreamDetail, StreamStatus, UnknownStream
from shared.store import Store, StoreUnavailable

PATIENCE_SECONDS = 2.0
"""For the learner: with the store's copy after it, an answer stays within the 5 s that every call has."""
KEPT = 32
"""Details in memory: one of a thousand classes takes some megabytes."""
ASKING = 4
"""Threads: a learner that hangs takes them all, and then what the store has is the answer."""


class Kept(NamedTuple):
    """A detail, and the status's position when it was asked for: as long as that stays, nothing has changed."""

    position: str
    detail: StreamDetail


class Details:
    """Asks off the event loop; only the same stream's next status makes it ask again."""

    def __init__(self, queries: Queries, store: Store) -> None:
        self._queries, self._store = queries, store
        self._kept: dict[str, Kept] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[StreamDetail]] = {}
        self._threads = ThreadPoolExecutor(ASKING, "gateway-details")

    async def get(self, known: StreamStatus) -> StreamDetail:
        """The detail of a stream whose status is known; where neither learner nor store has one, an empty one."""
        kept = self._kept.get(known.stream)
        if kept and kept.position == known.position:
            return kept.detail
        key = (known.stream, known.position)
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._ask(known))
        return await asyncio.shield(self._asking[key])

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, known: StreamStatus) -> StreamDetail:
        try:
            asked = self._call(self._queries.detail, known.stream)
            found: StreamDetail = await asyncio.wait_for(asked, PATIENCE_SECONDS)
        except (UnknownStream, LearnerUnavailable, StoreUnavailable, TimeoutError):
            return await self._stored(known)
        finally:
            self._asking.pop((known.stream, known.position), None)
        self._kept.pop(known.stream, None)
        self._kept[known.stream] = Kept(known.position, found)
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return found

    async def _stored(self, known: StreamStatus) -> StreamDetail:
        try:
            raw = await asyncio.wait_for(self._call(self._store.get, status.detail_key(known.stream)), PATIENCE_SECONDS)
            return StreamDetail.model_validate_json(raw or b"")
        except (ValidationError, StoreUnavailable, TimeoutError):
            classes = {name: model.classes for name, model in known.models.items()}
            nothing = {name: status.Confusion(labels=[], rows=[]) for name in known.models}
            return StreamDetail(
                stream=known.stream, position=known.position, classes=classes, curve=[], confusion=nothing
            )

    async def _call(self, function: Callable[[str], Any], argument: str) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, argument)
