"""The parts of a status that grow with the stream, from its learner, or as its newest snapshot left them."""

import asyncio
from typing import NamedTuple

from pydantic import ValidationError

from prequel.services.gateway.blocking_calls import Bounded, Late
from prequel.services.gateway.remote.learner import LearnerUnavailable
from prequel.shared import status
from prequel.shared.queries import Queries, UnknownStream
from prequel.shared.runtime.deadlines import DETAIL_S
from prequel.shared.status import StreamDetail, StreamStatus
from prequel.shared.store.base import Store, StoreUnavailable

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
        self._threads = Bounded("gateway-details", ASKING, DETAIL_S)

    async def get(self, known: StreamStatus) -> StreamDetail:
        """The detail of a stream whose status is known: of its learner, of the store, the newest known, or empty."""
        kept = self._kept.get(known.stream)
        if kept and kept.position == known.position:
            return kept.detail
        key = (known.stream, known.position)
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._ask(known))
        return await asyncio.shield(self._asking[key])

    def ended(self, stream: str) -> None:
        """Of a stream that was deleted nothing is kept, nor what is being asked for."""
        self._kept.pop(stream, None)
        for key in [key for key in self._asking if key[0] == stream]:
            del self._asking[key]

    def close(self) -> None:
        self._threads.close()

    async def _ask(self, known: StreamStatus) -> StreamDetail:
        try:
            found = await self._threads.run(lambda: self._queries.detail(known.stream))
        except (UnknownStream, LearnerUnavailable, StoreUnavailable, Late):
            return await self._stored(known, kept.detail if (kept := self._kept.get(known.stream)) else None)
        finally:
            asked = self._asking.pop((known.stream, known.position), None)
        if asked is None:
            return found
        self._kept.pop(known.stream, None)
        self._kept[known.stream] = Kept(known.position, found)
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return found

    async def _stored(self, known: StreamStatus, before: StreamDetail | None) -> StreamDetail:
        try:
            raw = await self._threads.run(lambda: self._store.get(status.detail_key(known.stream)))
            return StreamDetail.model_validate_json(raw or b"")
        except (ValidationError, StoreUnavailable, Late):
            if before:
                return before
            classes = {name: model.classes for name, model in known.models.items()}
            nothing = {name: status.Confusion(labels=[], rows=[]) for name in known.models}
            return StreamDetail(
                stream=known.stream, position=known.position, classes=classes, curve=[], confusion=nothing
            )
