"""Runs the application on a socket until told to stop, and then ends within two seconds, whoever still listens."""

import asyncio
import errno
import socket
import threading

import uvicorn
from fastapi import FastAPI

from prequel.services.gateway.http.connections import BACKLOG, Silent, bounded, room
from prequel.shared.runtime.deadlines import GATEWAY_GRACE_S

TICKS_PER_SECOND = 10
"""Uvicorn's."""


class CannotListen(Exception):
    """The address cannot be listened on; the message says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A socket on host and port (0: any free one; ``getsockname()`` tells which). Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            remedy = "something else listens there: stop it, or set PREQUEL_PORT to another port (0: any free one)"
        else:
            remedy = (
                f"{error.strerror or error}: set PREQUEL_HOST to an address of this machine, or another PREQUEL_PORT"
            )
        raise CannotListen(f"cannot listen on {host}:{port}: {remedy}") from error
    # asyncio does this only where the socket was made as TCP by name; without it answers wait 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(app: FastAPI, listener: socket.socket, stop: threading.Event, connections: int | None = None) -> None:
    """Serve in this thread until ``stop`` is set (signals are the caller's); finish what is being answered; return.

    ``connections``: the most at one time; None: as many as there are files for.
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
        http=bounded(connections or room()),  # type: ignore[arg-type]  # it wants a class, and calls it
        backlog=BACKLOG,
    )
    _Server(config, stop).run([listener])


class _Server(uvicorn.Server):
    """Watches an event where uvicorn would install signal handlers; lets waiting clients go before it shuts down."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop, self._silent = stop, Silent()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serve(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_PER_SECOND == 0:
            self._silent.sweep(self.server_state.connections)
        return await super().on_tick(counter) or self._stop.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.end()  # type: ignore[union-attr]  # the app is ours, not a name to import
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            # Who does not read keeps the transport from closing: what it has not taken is lost to it.
            connection.transport.abort()
        await asyncio.sleep(0)
