"""A TCP proxy on this machine that a test can slow down, cut, or let swallow everything."""

import socket
import struct
import threading
import time
from contextlib import suppress

from tests.servers.ports import free_port

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes close() send RST."""


def _open_gate() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


class Proxy:
    """Forwards a port of 127.0.0.1 to another; the target can be set after the start. Use as a context manager."""

    def __init__(self, target: int = 0) -> None:
        self.port, self.target = free_port(), target
        self.delay_s = 0.0
        self.max_bytes: int | None = None
        """How many bytes may still pass, in both directions together; the rest is swallowed."""
        self._lock = threading.Lock()
        self._gates = [_open_gate()]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener: socket.socket | None = None
        self._closed = False

    def swallow(self) -> None:
        """From now on nothing arrives, in either direction, and no connection is closed."""
        self._gates[-1].clear()

    def swallow_existing(self) -> None:
        """As ``swallow``, for the existing connections; new ones pass."""
        self._gates[-1].clear()
        self._gates.append(_open_gate())

    def heal(self) -> None:
        """Let everything through again, with what was held back so far."""
        self.delay_s, self.max_bytes = 0.0, None
        for gate in self._gates:
            gate.set()

    def reset(self) -> None:
        """Break all connections with RST; new ones are accepted."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def __enter__(self) -> "Proxy":
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._listener is not None
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()
        self.heal()

    def _accept(self) -> None:
        assert self._listener is not None
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._pairs.append((client, server))
            if self._closed:
                self.reset()
                return
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink, self._gates[-1]), daemon=True).start()

    def _count(self, size: int) -> None:
        with self._lock:
            if self.max_bytes is not None:
                self.max_bytes -= size
                if self.max_bytes < 0:
                    self._gates[-1].clear()

    def _pump(self, source: socket.socket, sink: socket.socket, gate: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self.delay_s:
                    time.sleep(self.delay_s)
                self._count(len(data))
                gate.wait()
                sink.sendall(data)
        # What was held back must still arrive after the sender has closed, as in a real network.
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
