"""Runs the application on a socket until told to stop; then ends within two seconds, whatever clients do."""

import asyncio
import errno
import socket
import threading

import uvicorn
from fastapi import FastAPI

from prequel.services.gateway.http.connections import BACKLOG, IdleConnections, limited_protocol, max_connections
from prequel.shared.runtime.deadlines import GATEWAY_GRACE_S

TICKS_PER_SECOND = 10
"""How often uvicorn calls ``on_tick``."""
LISTEN_BACKLOG = 512
"""Connections that the system accepts while the event loop is busy; beyond them clients wait a second and try again."""


class CannotListen(Exception):
    """The address cannot be listened on; the message says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A socket on host and port (0: any free one; ``getsockname()`` tells which). Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=LISTEN_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            remedy = (
                "another program listens there: stop it, or set PREQUEL_PORT to another port (0 takes any free one)"
            )
        else:
            reason = error.strerror or error
            remedy = f"{reason}: set PREQUEL_HOST to an address of this machine, or PREQUEL_PORT to another port"
        raise CannotListen(f"cannot listen on {host}:{port}: {remedy}") from error
    # asyncio sets this only on sockets that were created as TCP by name; without it answers wait 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(app: FastAPI, listener: socket.socket, stop: threading.Event, connections: int | None = None) -> None:
    """Serve in this thread until ``stop`` is set (the caller handles signals); finish the answers in progress; return.

    ``connections``: the maximum at one time; None: as many as the system allows files for.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="none",
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=GATEWAY_GRACE_S,
        http=limited_protocol(connections or max_connections()),  # type: ignore[arg-type]  # uvicorn only calls it
        backlog=BACKLOG,
    )
    _StoppableServer(config, stop).run([listener])


class _StoppableServer(uvicorn.Server):
    """Watches an event where uvicorn would install signal handlers; ends waiting requests before it shuts down."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop, self._idle = stop, IdleConnections()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serve(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_PER_SECOND == 0:
            self._idle.close_expired(self.server_state.connections)
        return await super().on_tick(counter) or self._stop.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # 1. Requests that wait for an event, listeners and exports would outlast uvicorn's grace: end them first.
        gateway = self.config.app.state.gateway  # type: ignore[union-attr]  # config.app may be a name; here it is the app
        gateway.live.end()
        gateway.exports.end()
        # 2. Uvicorn finishes the other requests, within GATEWAY_GRACE_S.
        await super().shutdown(sockets)
        # 3. A client that does not read keeps its transport open: what it has not taken is lost to it.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
