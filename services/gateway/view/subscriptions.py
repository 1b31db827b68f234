"""Who listens to which stream's events, each with a bounded queue; who cannot keep up is cut off."""

import asyncio
from collections import deque
from typing import NamedTuple

import orjson

from prequel.shared.events.types import Applied, Drift, Outcome, Prediction
from prequel.shared.log.base import Position

QUEUE_EVENTS = 4_096
RECENT_EVENTS = 4_096
MOST_SUBSCRIBERS = 512


class Happening(NamedTuple):
    """Something that a learner said, its JSON, and where it stands in ``predictions``: its id among the events."""

    position: Position
    event: Prediction | Outcome | Drift | Applied
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
        self._wake = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether it has ended and all was taken, the reason too."""
        return self.ended and not self._events

    def give(self, event: bytes) -> None:
        """Queue an event; beyond the bound forget all of them and end: the client reconnects and asks anew."""
        if self.ended:
            return
        self._events.append(event)
        if len(self._events) > QUEUE_EVENTS:
            self._events.clear()
            self.end("too slow: events were lost")
        self._wake.set()

    def end(self, reason: str) -> None:
        if not self.ended:
            self._events.append(encode("reconnect", None, {"reason": reason}))
            self.ended = True
            self._wake.set()

    async def next(self, seconds: float) -> bytes:
        """All that is queued, waiting at most ``seconds`` for it; empty if nothing came."""
        if not self._events and not self.ended:
            try:
                await asyncio.wait_for(self._wake.wait(), seconds)
            except TimeoutError:
                return b""
        self._wake.clear()
        events = b"".join(self._events)
        self._events.clear()
        return events


class Subscriptions:
    """All subscribers, and the newest events for those who come back. For the event loop only."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._recent: deque[Happening] = deque(maxlen=RECENT_EVENTS)

    @property
    def full(self) -> bool:
        """Whether as many listen as may."""
        return len(self._subscribers) >= MOST_SUBSCRIBERS

    def open(self, stream: str | None, last: str | None) -> Subscriber:
        """A new subscriber, who has seen everything up to the event ``last``."""
        subscriber = Subscriber(stream)
        for event in self._since(stream, last) if last else ():
            subscriber.give(event)
        self._subscribers.add(subscriber)
        return subscriber

    def close(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    def streams(self) -> set[str | None]:
        """The streams that somebody listens to; None among them where somebody listens to all."""
        return {subscriber.stream for subscriber in self._subscribers}

    def remember(self, happening: Happening) -> None:
        self._recent.append(happening)

    def forget(self, stream: str) -> None:
        """What came of a stream that was deleted is told to nobody any more."""
        self._recent = deque((each for each in self._recent if each.event.stream != stream), RECENT_EVENTS)

    def publish(self, happening: Happening) -> None:
        listeners = self._listeners(happening.event.stream)
        if listeners:
            event = happening.encode()
            for subscriber in listeners:
                subscriber.give(event)

    def send(self, stream: str, event: bytes) -> None:
        for subscriber in self._listeners(stream):
            subscriber.give(event)

    def newest(self) -> str | None:
        """The id of the newest event: what a status stands behind."""
        return str(self._recent[-1].position) if self._recent else None

    def end(self, reason: str) -> None:
        """End all connections; what is remembered is forgotten with them."""
        for subscriber in self._subscribers:
            subscriber.end(reason)
        self._recent.clear()

    def _listeners(self, stream: str) -> list[Subscriber]:
        return [subscriber for subscriber in self._subscribers if subscriber.stream in (stream, None)]

    def _since(self, stream: str | None, last: str) -> list[bytes]:
        recent = list(self._recent)
        seen = next((n for n in range(len(recent) - 1, -1, -1) if str(recent[n].position) == last), None)
        if seen is None:
            return [encode("reset", None, {"reason": f"what came after {last} is no longer known here: ask anew"})]
        return [each.encode() for each in recent[seen + 1 :] if stream in (each.event.stream, None)]


def encode(kind: str, id: str | None, data: object) -> bytes:
    """One event as the HTML standard has it (server-sent events): without an id, the client keeps the one before."""
    lines = [f"id: {id}"] if id else []
    return "\n".join([*lines, f"event: {kind}", f"data: {orjson.dumps(data).decode()}", "", ""]).encode()
