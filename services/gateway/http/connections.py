"""The gateway's connections: how many there may be, and how long one may stay without a request."""

import asyncio
import resource
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.server import ServerState

from prequel.shared.runtime.deadlines import REQUEST_HEAD_S

BACKLOG = 64
"""Connections that the event loop accepts in one turn, before any of them is counted: they come on top of the limit.
(Where one of them finds no file left, Python logs a stack trace for each of the others.)"""

MAX_CONNECTIONS = 4_096
"""Each may have sent 64 KiB of an incomplete head: 256 MiB, as much as bodies may take. Listeners need one each."""

RESERVED_FILES = 128
"""What log, store, models and the operations server open besides connections: 42 at 2,000 events a second."""

MIN_CONNECTIONS = 32
"""Enough for the page, on a system that allows almost no open files."""

MAX_FILES = 65_536
"""Requested from the system: a few times what is needed. Not without limit: some programs walk all file numbers, and
some systems have a billion."""

REJECTION = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
)
TOO_MANY = (
    b'{"type":"about:blank","title":"Service Unavailable","status":503,'
    b'"detail":"too many connections are open; close some, or try again in a second"}'
)


class Connection(Protocol):
    """What uvicorn's protocols have in common, whichever parser they use."""

    cycle: Any
    transport: asyncio.Transport


def max_connections() -> int:
    """How many connections there may be, given the open files that the system allows this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < target:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            soft = target
        except (OSError, ValueError):
            pass  # macOS allows less than it reports: keep the present limit
    files = MAX_FILES if soft == resource.RLIM_INFINITY else soft
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, files - RESERVED_FILES - BACKLOG))


def limited_protocol(limit: int) -> Callable[..., asyncio.Protocol]:
    """A factory of uvicorn's protocol for each connection; a connection beyond ``limit`` gets 503 and is closed."""

    def make(*, config: uvicorn.Config, server_state: ServerState, **others: Any) -> asyncio.Protocol:
        if len(server_state.connections) >= limit:
            return _RejectedConnection()
        return AutoHTTPProtocol(config=config, server_state=server_state, **others)  # type: ignore[call-arg]

    return make


class _RejectedConnection(asyncio.Protocol):
    """Answers without reading the request: whatever it is, there is no room for it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(REJECTION % (len(TOO_MANY), TOO_MANY))
        transport.close()


class IdleConnections:
    """Closes connections on which no complete head of a request has come for REQUEST_HEAD_S, and those that are being
    closed for so long: their client does not take what it was sent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._idle_since: dict[Connection, tuple[Any, float]] = {}
        """The last request of each idle connection, and when the connection was first seen idle after it."""

    def close_expired(self, connections: Iterable[Any]) -> None:
        """Call it about once a second."""
        now, before = self._clock(), self._idle_since
        self._idle_since = {connection: (connection.cycle, now) for connection in connections if _is_idle(connection)}
        for connection, (last_request, _) in self._idle_since.items():
            known_request, since = before.get(connection, (None, now))
            if known_request is last_request:  # else it was busy between two looks, and is idle only since now
                self._idle_since[connection] = last_request, since
                if now - since > REQUEST_HEAD_S:
                    connection.transport.abort()


def _is_idle(connection: Connection) -> bool:
    return connection.cycle is None or bool(connection.cycle.response_complete) or connection.transport.is_closing()
