"""The parts of a status that grow with the stream: from its learner, else as of its newest snapshot."""

import asyncio
from typing import NamedTuple

from pydantic import ValidationError

from prequel.services.gateway.blocking_calls import BlockingCalls, CallTimeout
from prequel.services.gateway.remote.learner import LearnerUnavailable
from prequel.shared import status
from prequel.shared.queries import Queries, UnknownStream
from prequel.shared.runtime.deadlines import DETAIL_S
from prequel.shared.status import StreamDetail, StreamStatus
from prequel.shared.store.base import Store, StoreUnavailable

MAX_CACHED = 32
"""Details in memory: one of a thousand classes takes some megabytes. A page looks at one stream at a time."""
THREADS = 4
"""A learner that hangs takes them all, for DETAIL_S; then the store's copy is the answer."""


class CachedDetail(NamedTuple):
    """A detail, and the position of the status it was read for: while that stays, nothing has changed."""

    position: str
    detail: StreamDetail


class StreamDetails:
    """Call it on the event loop only; learner and store are asked on threads.

    A learner is asked again only after the stream's status has changed, and once however many requests ask.
    """

    def __init__(self, queries: Queries, store: Store) -> None:
        self._queries, self._store = queries, store
        self._cached: dict[str, CachedDetail] = {}
        self._requests: dict[tuple[str, str], asyncio.Task[StreamDetail]] = {}
        """By stream and position."""
        self._calls = BlockingCalls("gateway-details", THREADS, DETAIL_S)

    async def get(self, known: StreamStatus) -> StreamDetail:
        """The detail for a status: from the learner, else from the store, else the last known, else empty."""
        cached = self._cached.get(known.stream)
        if cached and cached.position == known.position:
            return cached.detail
        key = (known.stream, known.position)
        if key not in self._requests:
            self._requests[key] = asyncio.create_task(self._request(known))
        # Shielded: when one client hangs up, the others still wait for this task.
        return await asyncio.shield(self._requests[key])

    def stream_deleted(self, stream: str) -> None:
        """Forget the stream's detail, and do not cache the answers of requests in progress."""
        self._cached.pop(stream, None)
        for key in [key for key in self._requests if key[0] == stream]:
            del self._requests[key]

    def close(self) -> None:
        self._calls.close()

    async def _request(self, known: StreamStatus) -> StreamDetail:
        try:
            detail = await self._calls.run(lambda: self._queries.detail(known.stream))
        except (UnknownStream, LearnerUnavailable, StoreUnavailable, CallTimeout):
            return await self._stored(known)
        finally:
            request = self._requests.pop((known.stream, known.position), None)
        if request is not None:  # else the stream was deleted meanwhile
            self._cache(known, detail)
        return detail

    def _cache(self, known: StreamStatus, detail: StreamDetail) -> None:
        self._cached.pop(known.stream, None)
        self._cached[known.stream] = CachedDetail(known.position, detail)
        if len(self._cached) > MAX_CACHED:
            del self._cached[next(iter(self._cached))]

    async def _stored(self, known: StreamStatus) -> StreamDetail:
        cached = self._cached.get(known.stream)
        try:
            raw = await self._calls.run(lambda: self._store.get(status.detail_key(known.stream)))
            return StreamDetail.model_validate_json(raw or b"")
        except (ValidationError, StoreUnavailable, CallTimeout):
            return cached.detail if cached else _empty_detail(known)


def _empty_detail(known: StreamStatus) -> StreamDetail:
    """With the classes that the status itself has, of a stream that has no snapshot yet."""
    classes = {name: model.classes for name, model in known.models.items()}
    confusion = {name: status.Confusion(labels=[], rows=[]) for name in known.models}
    return StreamDetail(stream=known.stream, position=known.position, classes=classes, curve=[], confusion=confusion)
