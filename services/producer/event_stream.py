"""The events of streams as they happen, read on over every interruption (Server-Sent Events)."""

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, Self

import httpx
import orjson

from prequel.services.producer.connection import GatewayConnection
from prequel.services.producer.errors import GatewayUnavailable
from prequel.shared.runtime.deadlines import EVENTS_SILENCE_S

PING, RECONNECT, RESET = "ping", "reconnect", "reset"


class StreamEvent(NamedTuple):
    """What happened: ``kind`` is prediction, outcome, drift, applied (a command), status or reset.

    ``data`` is as the other calls answer it, with the name of the ``stream``. ``id`` is that of the newest event then,
    ``after`` which a later call can go on. ``reset``: events were missed, as the ``reason`` says; read the lists again.
    """

    kind: str
    id: str
    data: dict[str, Any]


class EventStream:
    """An iterator that ends with ``close``. For one thread, but for ``close``, which any thread may call."""

    def __init__(self, connection: GatewayConnection, path: str, after: str | None) -> None:
        self._connection, self._path, self._last = connection, path, after or ""
        self._closed = threading.Event()
        self._answer: httpx.Response | None = None
        self._heard = False
        self._events = self._follow()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[StreamEvent]:
        return self

    def __next__(self) -> StreamEvent:
        """The next event. Blocks until there is one; raises GatewayError where no gateway answers for too long, and
        StopIteration after ``close``."""
        return next(self._events)

    @property
    def connected(self) -> bool:
        """Whether a gateway has answered: what happens from now on is seen."""
        return self._answer is not None

    def close(self) -> None:
        """End the iteration, also one that waits in another thread."""
        self._closed.set()
        if self._answer is not None:
            _wake(self._answer)

    def _follow(self) -> Iterator[StreamEvent]:
        began, tries = self._connection.now(), 0
        while not self._closed.is_set():
            problem: GatewayUnavailable | None = None
            try:
                yield from self._connected()
            except GatewayUnavailable as error:
                problem = error
            if self._heard:  # The outage begins here, however long nothing happened before.
                began, tries = self._connection.now(), 0
            tries += 1
            if not self._closed.is_set() and not self._connection.again(began, tries, self._closed):
                raise problem or self._connection.unreachable("it ends every connection at once")
            if self.connected and not self._last and not self._closed.is_set():
                yield StreamEvent(RESET, "", {"reason": "the connection broke before its first event: read the lists"})

    def _connected(self) -> Iterator[StreamEvent]:
        """The events of one connection, until it ends; ``_heard`` is whether there was one, if only a ping."""
        self._heard = False
        headers = {"Last-Event-ID": self._last} if self._last else {}
        with self._connection.streamed(self._path, {}, EVENTS_SILENCE_S, headers) as self._answer:
            if self._closed.is_set():  # Whoever closed it before could not wake what waits below.
                return
            for event in parsed(self._answer.iter_lines()):
                self._heard, self._last = True, event.id or self._last
                if self._closed.is_set() or event.kind == RECONNECT:
                    return
                if event.kind != PING:
                    yield event


def parsed(lines: Iterable[str]) -> Iterator[StreamEvent]:
    """The events in lines as the HTML standard has them; what is incomplete at the end is none."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line:
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield StreamEvent(fields.get("event", "message"), fields.get("id", ""), orjson.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


def _wake(answer: httpx.Response) -> None:
    """End a read that waits in another thread, which closing the response would not."""
    with suppress(OSError):  # The connection has ended already.
        answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
