"""Server-Sent Events: predictions, outcomes, drifts and status of a stream, or of all, as they happen."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from starlette.responses import StreamingResponse

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.answers import described
from prequel.services.gateway.http.parameters import StreamName, only_known
from prequel.services.gateway.http.problems import unavailable
from prequel.services.gateway.view.subscriptions import encode
from prequel.shared.runtime.supervisor import ReportWorking
from prequel.shared.status import StreamStatus
from prequel.shared.store.base import StoreUnavailable

PING_SECONDS = 15.0
STATUS_SECONDS = 0.5
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second keeps nginx from holding events back."""

LastEvent = Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)]
RESPONSES: dict[int | str, Any] = {
    200: {
        "description": "Events: prediction, outcome, status, ping, reset, reconnect",
        "content": {"text/event-stream": {}},
    },
    **described(422, 503),
}


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["events"], dependencies=[Depends(only_known)])

    @router.get(
        "/v1/streams/{stream}/events",
        response_class=StreamingResponse,
        responses=RESPONSES,
        summary="Events of a stream",
    )
    async def stream_events(stream: StreamName, last: LastEvent = None) -> StreamingResponse:
        """`prediction` and `outcome` (as the other calls have them), `drift`, `status` (as the stream's call), `ping`.

        Whoever reconnects with Last-Event-ID gets what was missed, or `reset` where that is no longer known: ask the
        lists anew. `reconnect` ends a connection that could not keep up, or a gateway that stops.
        """
        return await _response(gateway, stream, last)

    @router.get("/v1/events", response_class=StreamingResponse, responses=RESPONSES, summary="Events of all streams")
    async def all_events(last: LastEvent = None) -> StreamingResponse:
        """As the events of one stream; each names its stream."""
        return await _response(gateway, None, last)

    return router


async def _response(gateway: Gateway, stream: str | None, last: str | None) -> StreamingResponse:
    if gateway.live.subscriptions.full:
        raise unavailable("too many connections listen already: close some, or ask another gateway")
    return StreamingResponse(_events(gateway, stream, last), headers=HEADERS, media_type="text/event-stream")


async def _events(gateway: Gateway, stream: str | None, last: str | None) -> AsyncIterator[bytes]:
    subscriptions = gateway.live.subscriptions
    subscriber = subscriptions.open(stream, last)
    try:
        yield b"retry: 1000\n\n"
        if stream and (status := await _status(gateway, stream)):
            yield _encode_status(gateway, status)
        while True:
            events = await subscriber.next(PING_SECONDS)
            yield events or encode("ping", subscriptions.newest(), {"at": gateway.clock()})
            if subscriber.over:
                return
    finally:
        subscriptions.close(subscriber)


async def publish_statuses(gateway: Gateway, working: ReportWorking) -> None:
    """For ever: send each status that somebody listens to, at first and once it has changed (the store does not tell).

    At first too: it may have changed since the connection's own first status was read.
    """
    sent: dict[str, StreamStatus] = {}
    while True:
        await asyncio.sleep(STATUS_SECONDS)
        now = {status.stream: status for status in await _listened(gateway)}
        for stream, status in now.items():
            if sent.get(stream) is not status:
                gateway.live.subscriptions.send(stream, _encode_status(gateway, status))
        sent = now
        working()


async def _listened(gateway: Gateway) -> list[StreamStatus]:
    streams = gateway.live.subscriptions.streams()
    if None in streams:
        try:
            return await gateway.statuses.all()
        except StoreUnavailable:
            return []
    found = [await _status(gateway, stream) for stream in sorted(filter(None, streams))]
    return [status for status in found if status]


async def _status(gateway: Gateway, stream: str) -> StreamStatus | None:
    """None too while the store is away: /readyz says so, and events go on without it."""
    try:
        return await gateway.statuses.get(stream)
    except StoreUnavailable:
        return None


def _encode_status(gateway: Gateway, status: StreamStatus) -> bytes:
    return encode("status", gateway.live.subscriptions.newest(), gateway.statuses.summary(status))
