"""Connections that listen to events, each with a bounded queue; one that cannot keep up is ended."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import orjson

from prequel.shared.events.types import Applied, Drift, Outcome, Prediction
from prequel.shared.log.base import Position

QUEUE_EVENTS = 4_096
"""For a connection that reads slowly: four seconds at a thousand events a second, some megabytes."""
RECENT_EVENTS = 4_096
"""For a client that reconnects: at that rate it may be away for four seconds and miss nothing."""
MAX_SUBSCRIBERS = 512
"""Each may hold a full queue: all together less than 2 GB at worst, and at most an eighth of the connections."""


Event = Prediction | Outcome | Drift | Applied


class LiveEvent(NamedTuple):
    """An event of a learner, its JSON, and its position in ``predictions``, which is its id for listeners."""

    position: Position
    event: Event
    value: bytes

    def encode(self) -> bytes:
        kind = type(self.event).__name__.lower()
        return encode(kind, str(self.position), orjson.loads(self.value))


class Subscriber:
    """The events of one stream (None: of all) that one connection has still to send."""

    def __init__(self, stream: str | None) -> None:
        self.stream = stream
        self.ended = False
        self._events: deque[bytes] = deque()
        self._wakeup = asyncio.Event()

    @property
    def finished(self) -> bool:
        """Whether it has ended and every event has been taken, the last one, with the reason, too."""
        return self.ended and not self._events

    def enqueue(self, event: bytes) -> None:
        """Beyond QUEUE_EVENTS discard all events and end: the client reconnects and reads the lists again.

        Discarding some would leave a gap that nobody notices.
        """
        if self.ended:
            return
        self._events.append(event)
        if len(self._events) > QUEUE_EVENTS:
            self._events.clear()
            self.end("too slow: events were lost")
        self._wakeup.set()

    def end(self, reason: str) -> None:
        if not self.ended:
            self._events.append(encode("reconnect", None, {"reason": reason}))
            self.ended = True
            self._wakeup.set()

    async def next(self, timeout: float) -> bytes:
        """All queued events; waits ``timeout`` seconds at most for the first, and is empty if none came."""
        if not self._events and not self.ended:
            try:
                await asyncio.wait_for(self._wakeup.wait(), timeout)
            except TimeoutError:
                return b""
        self._wakeup.clear()
        events = b"".join(self._events)
        self._events.clear()
        return events


class Subscriptions:
    """All subscribers, and the newest events for those that reconnect. Call it on the event loop only."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._recent: deque[LiveEvent] = deque(maxlen=RECENT_EVENTS)

    @property
    def full(self) -> bool:
        return len(self._subscribers) >= MAX_SUBSCRIBERS

    def open(self, stream: str | None, last_event: str | None) -> Subscriber:
        """A new subscriber that has received everything up to the event ``last_event``."""
        subscriber = Subscriber(stream)
        for event in self._since(stream, last_event) if last_event else ():
            subscriber.enqueue(event)
        self._subscribers.add(subscriber)
        return subscriber

    def close(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    def streams(self) -> set[str | None]:
        """The streams with subscribers; None is among them where one listens to all."""
        return {subscriber.stream for subscriber in self._subscribers}

    def remember(self, event: LiveEvent) -> None:
        self._recent.append(event)

    def forget(self, stream: str) -> None:
        """Send nobody the events of a stream that was deleted."""
        self.forget_events(lambda event: event.stream == stream)

    def forget_events(self, matches: Callable[[Event], bool]) -> None:
        """Send nobody these events again."""
        self._recent = deque((recent for recent in self._recent if not matches(recent.event)), RECENT_EVENTS)

    def publish(self, event: LiveEvent) -> None:
        subscribers = self._subscribers_of(event.event.stream)
        if subscribers:
            encoded = event.encode()
            for subscriber in subscribers:
                subscriber.enqueue(encoded)

    def send(self, stream: str, encoded: bytes) -> None:
        for subscriber in self._subscribers_of(stream):
            subscriber.enqueue(encoded)

    def newest(self) -> str | None:
        """The id of the newest event."""
        return str(self._recent[-1].position) if self._recent else None

    def end(self, reason: str) -> None:
        """End all connections, and forget the recent events: they may come again, under the same ids."""
        for subscriber in self._subscribers:
            subscriber.end(reason)
        self._recent.clear()

    def _subscribers_of(self, stream: str) -> list[Subscriber]:
        return [subscriber for subscriber in self._subscribers if subscriber.stream in (stream, None)]

    def _since(self, stream: str | None, last_event: str) -> list[bytes]:
        recent = list(self._recent)
        index = next((n for n in range(len(recent) - 1, -1, -1) if str(recent[n].position) == last_event), None)
        if index is None:
            reason = f"the events after {last_event} are no longer in memory: read the lists again"
            return [encode("reset", None, {"reason": reason})]
        return [
            recent_event.encode() for recent_event in recent[index + 1 :] if stream in (recent_event.event.stream, None)
        ]


def encode(kind: str, id: str | None, data: object) -> bytes:
    """One server-sent event, as the HTML standard defines it; without an id the client keeps the one before."""
    lines = [f"id: {id}"] if id else []
    return "\n".join([*lines, f"event: {kind}", f"data: {orjson.dumps(data).decode()}", "", ""]).encode()
