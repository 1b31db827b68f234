"""Server-Sent Events: predictions, outcomes, drifts and status of one stream, or of all, as they happen."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from starlette.responses import StreamingResponse

from prequel.services.gateway.gateway import CurrentGateway, Gateway
from prequel.services.gateway.http.answers import problem_responses
from prequel.services.gateway.http.parameters import StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.problems import unavailable
from prequel.services.gateway.view.subscriptions import encode
from prequel.shared.runtime.supervisor import ReportWorking
from prequel.shared.status import StreamStatus
from prequel.shared.store.base import StoreUnavailable

PING_SECONDS = 15.0
"""Proxies close connections that are silent for longer: many after 30 or 60 seconds."""
STATUS_SECONDS = 0.5
"""Between looks for changed statuses. People do not see a shorter delay, and each look reads the store."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second keeps nginx from holding events back."""

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)]
RESPONSES: dict[int | str, Any] = {
    200: {
        "description": "Events: prediction, outcome, drift, status, ping, reset, reconnect",
        "content": {"text/event-stream": {}},
    },
    **problem_responses(422, 503),
}

router = APIRouter(tags=["events"], dependencies=[Depends(refuse_unknown_parameters)])


@router.get(
    "/v1/streams/{stream}/events",
    response_class=StreamingResponse,
    responses=RESPONSES,
    summary="Events of a stream",
)
async def stream_events(gateway: CurrentGateway, stream: StreamName, last: LastEventId = None) -> StreamingResponse:
    """`prediction` and `outcome` (as the other calls have them), `drift`, `status` (as the stream's call), `ping`.

    A client that reconnects with Last-Event-ID gets the events that it missed, or `reset` if they are no longer in
    memory: then it should read the lists again. `reconnect` ends a connection that is too slow, or whose gateway stops.
    """
    return _respond(gateway, stream, last)


@router.get("/v1/events", response_class=StreamingResponse, responses=RESPONSES, summary="Events of all streams")
async def all_events(gateway: CurrentGateway, last: LastEventId = None) -> StreamingResponse:
    """As the events of one stream; each names its stream."""
    return _respond(gateway, None, last)


def _respond(gateway: Gateway, stream: str | None, last: str | None) -> StreamingResponse:
    if gateway.live.subscriptions.full:
        raise unavailable("too many connections listen already: close some, or connect to another gateway")
    return StreamingResponse(_events(gateway, stream, last), headers=HEADERS, media_type="text/event-stream")


async def _events(gateway: Gateway, stream: str | None, last: str | None) -> AsyncIterator[bytes]:
    subscriptions = gateway.live.subscriptions
    # Subscribe before the status is read: events between the two would be lost the other way round.
    subscriber = subscriptions.open(stream, last)
    try:
        yield b"retry: 1000\n\n"
        if stream and (status := await _status(gateway, stream)):
            yield _encode_status(gateway, status)
        while True:
            events = await subscriber.next(PING_SECONDS)
            yield events or encode("ping", subscriptions.newest(), {"at": gateway.clock()})
            if subscriber.finished:
                return
    finally:
        subscriptions.close(subscriber)


async def publish_statuses(gateway: Gateway, working: ReportWorking) -> None:
    """Send each status that has a listener, first at once and then whenever it has changed; never returns.

    At once too, because it may have changed since the connection's own first status was read. The store is polled,
    because it cannot notify.
    """
    sent: dict[str, StreamStatus] = {}
    while True:
        await asyncio.sleep(STATUS_SECONDS)
        current = {status.stream: status for status in await _subscribed_statuses(gateway)}
        for stream, status in current.items():
            if sent.get(stream) is not status:
                gateway.live.subscriptions.send(stream, _encode_status(gateway, status))
        sent = current
        working()


async def _subscribed_statuses(gateway: Gateway) -> list[StreamStatus]:
    streams = gateway.live.subscriptions.streams()
    if None in streams:
        try:
            return await gateway.statuses.all()
        except StoreUnavailable:
            return []
    statuses = [await _status(gateway, stream) for stream in sorted(filter(None, streams))]
    return [status for status in statuses if status]


async def _status(gateway: Gateway, stream: str) -> StreamStatus | None:
    """The stream's status; None if it has none, or the store is away: /readyz says so, and other events go on."""
    try:
        return await gateway.statuses.get(stream)
    except StoreUnavailable:
        return None


def _encode_status(gateway: Gateway, status: StreamStatus) -> bytes:
    return encode("status", gateway.live.subscriptions.newest(), gateway.statuses.summary(status))
