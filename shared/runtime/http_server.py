"""A small HTTP server on threads of its own: requests in, replies and problem documents (RFC 9457) out."""

import logging
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from socketserver import TCPServer
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson

from prequel.shared.runtime.deadlines import OPS_IDLE_S

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 32 * 2**20
"""Largest body of a request: twice the default of PREQUEL_MAX_IMAGE_BYTES. Bodies are read into memory, so without a
limit a few requests could fill it."""
JSON, PROBLEM = "application/json", "application/problem+json"
BUG = "a bug; the log of this service has the traceback: please report it"


class Reply(NamedTuple):
    """The answer to a request."""

    status: int
    body: bytes
    content_type: str = JSON


class RequestError(Exception):
    """A request that cannot be answered: an HTTP status, and what is wrong with the request."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Endpoints(Protocol):
    """Answers the requests of one server, from any thread. Each method raises RequestError if it has no answer."""

    def authorize(self, path: str, headers: Mapping[str, str]) -> None:
        """Raise RequestError (401) unless the request may pass. Names of ``headers`` are in small letters."""
        ...

    def get(self, path: str) -> Reply: ...

    def post(self, path: str, body: bytes) -> Reply: ...


def json_reply(status: int, body: object) -> Reply:
    return Reply(status, orjson.dumps(body))


def problem_reply(status: int, detail: str) -> Reply:
    return json_reply(status, {"status": status, "detail": detail})._replace(content_type=PROBLEM)


class HttpServer(ThreadingHTTPServer):
    """Listens on construction; raises OSError where it cannot. A thread per connection; none delays the exit."""

    daemon_threads = True

    def __init__(self, host: str, port: int, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self.address_family = AF_INET6 if ":" in host else AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking this machine's name up in DNS, as the standard library does: that may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "prequel", int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may disconnect at any time; anything else is a bug, and logged."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "prequel", ""
    timeout = OPS_IDLE_S

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        try:
            reply = self._reply(path)
        except RequestError as error:
            # The body of a request without a valid key is not read: it would be taken for the next request.
            self.close_connection |= error.status == 401
            reply = problem_reply(error.status, str(error))
        except Exception:
            logger.exception("%s %s failed", self.command, path[:200])
            reply = problem_reply(500, BUG)
        self._send(reply)

    def _reply(self, path: str) -> Reply:
        endpoints = self.server.endpoints
        endpoints.authorize(path, {name.lower(): value for name, value in self.headers.items()})
        return endpoints.get(path) if self.command == "GET" else endpoints.post(path, self._body())

    def _body(self) -> bytes:
        """Raises RequestError before reading a body that is too large; then the connection ends, with the rest."""
        length = self.headers.get("Content-Length", "")
        known = length.isascii() and length.isdecimal()
        if known and int(length) <= MAX_BODY_BYTES:
            return self.rfile.read(int(length))
        self.close_connection = True
        if known:
            raise RequestError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
        raise RequestError(411, "Content-Length is missing")

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        if reply.status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged: probes and scrapes would fill the log."""
