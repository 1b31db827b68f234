"""The connections of the gateway: how many there may be, and how long one may be silent before it asks something."""

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
"""Connections that the event loop takes from the system in one turn, before any of them is counted: they come on top
of the most there may be. (Where one of them finds no file left, Python logs a stack for each of the others.)"""

MOST_CONNECTIONS = 4_096
"""Each may hold a head of 64 KiB that is not complete: 256 MiB, as bodies do. Listeners need one each."""

OTHER_FILES = 128
"""What log, store, models and the operations server open beside connections: 42 at 2,000 events a second."""

FEWEST_CONNECTIONS = 32
"""With so few a page still works, where a system gives next to no files."""

MOST_FILES = 65_536
"""Asked of the system, where it lets us: a few times what is needed. Some count to a billion, and tools walk them."""

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
)
TOO_MANY = (
    b'{"type":"about:blank","title":"Service Unavailable","status":503,'
    b'"detail":"too many connections are open; close some, or come again in a second"}'
)


class Connection(Protocol):
    """What uvicorn holds of a connection, whichever parser it uses."""

    cycle: Any
    transport: asyncio.Transport


def room() -> int:
    """How many connections there may be, with as many open files as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            pass  # macOS allows less than it says; what there is has to do
    files = MOST_FILES if soft == resource.RLIM_INFINITY else soft
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, files - OTHER_FILES - BACKLOG))


def bounded(most: int) -> Callable[..., asyncio.Protocol]:
    """Makes uvicorn's protocol for each connection; one beyond ``most`` is told so, and closed."""

    def make(*, config: uvicorn.Config, server_state: ServerState, **others: Any) -> asyncio.Protocol:
        if len(server_state.connections) >= most:
            return _Full()
        return AutoHTTPProtocol(config=config, server_state=server_state, **others)  # type: ignore[call-arg]

    return make


class _Full(asyncio.Protocol):
    """Answers without reading."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(FULL % (len(TOO_MANY), TOO_MANY))
        transport.close()


class Silent:
    """Closes connections that have asked nothing for HEAD_S: not one whole head of a request has come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[Connection, tuple[Any, float]] = {}
        """The last request of each that waits for nothing, and when it was seen first."""

    def sweep(self, connections: Iterable[Any]) -> None:
        """Call it about once a second."""
        now, before = self._clock(), self._since
        self._since = {each: (each.cycle, now) for each in connections if _asks_nothing(each)}
        for each, (last, _) in self._since.items():
            known, since = before.get(each, (None, now))
            if known is last:  # a busy connection has another request behind it each time
                self._since[each] = last, since
                if now - since > REQUEST_HEAD_S:
                    each.transport.abort()


def _asks_nothing(connection: Connection) -> bool:
    return connection.cycle is None or bool(connection.cycle.response_complete)
