"""The small HTTP server of extractor and learner: alive, ready, metrics, and their answers to queries."""

import logging
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from socketserver import TCPServer
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from prequel.shared.api_keys import ApiKeys, given_key
from prequel.shared.events.names import valid_stream
from prequel.shared.events.types import Rejected
from prequel.shared.extraction import Extraction, ExtractorUnavailable
from prequel.shared.runtime.deadlines import OPS_IDLE_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.supervisor import Supervisor
from prequel.shared.status import Queries, UnknownStream
from prequel.shared.vectors import Vector

logger = logging.getLogger(__name__)

MOST_BODY_BYTES = 32 * 2**20
OPEN = ("/healthz", "/readyz")
"""For those who start and stop containers: they have no key, and these tell no secret."""
DETAIL = "/detail/"
EXTRACT = "/extract/"
JSON, PROBLEM = "application/json", "application/problem+json"


class Reply(NamedTuple):
    """What a request is answered with."""

    status: int
    body: bytes
    content_type: str = JSON


class Refused(Exception):
    """A request that cannot be answered: an HTTP status and what is wrong."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Ops:
    """Serves ``/healthz``, ``/readyz``, ``/metrics`` and queries on threads of its own.

    With ``queries``, ``POST /predict`` takes ``{"stream", "features"}`` and answers a shared.status.Answer: 404 where
    nobody knows the stream, 422 where the features do not fit; ``GET /detail/STREAM`` answers a
    shared.status.StreamDetail. With ``extraction``, ``POST /extract/BACKBONE`` takes the bytes of an image and answers
    ``{"features"}``: 413 and 422 where they are none, 503 where there are none now. With ``keys``, all but the two
    health checks ask for one. Raises OSError where host and port cannot be listened on.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        health: Health,
        metrics: Metrics,
        queries: Queries | None,
        extraction: Extraction | None = None,
        keys: ApiKeys | None = None,
    ) -> None:
        self._health, self._metrics, self._queries, self._extraction = health, metrics, queries, extraction
        self._keys = keys or ApiKeys(())
        self._server = _Server(host, port, self)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="ops", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port as bound."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        self._thread.start()

    def _serve(self) -> None:
        Supervisor(self._health).run("operations server", lambda working: self._server.serve_forever(0.1), self._stop)

    def close(self) -> None:
        """Answer nobody any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def admit(self, path: str, headers: Mapping[str, str]) -> None:
        """Raises Refused where a key is needed and is missing or wrong."""
        if self._keys and path not in OPEN and (problem := self._keys.problem(given_key(headers))):
            raise Refused(401, problem)

    def get(self, path: str) -> Reply:
        if path == "/healthz":
            failed = self._health.failed
            return _json(503 if failed else 200, {"alive": failed is None, "reason": failed})
        if path == "/readyz":
            reasons = self._health.reasons
            return _json(503 if reasons else 200, {"ready": not reasons, "reasons": reasons})
        if path == "/metrics":
            return Reply(200, generate_latest(self._metrics.registry), CONTENT_TYPE_LATEST)
        if path.startswith(DETAIL) and self._queries is not None:
            try:
                return Reply(200, self._queries.detail(path.removeprefix(DETAIL)).model_dump_json().encode())
            except UnknownStream:
                raise Refused(404, f"no stream {path.removeprefix(DETAIL)[:200]} here") from None
        raise Refused(404, f"there is nothing at {path[:200]}: there are /healthz, /readyz and /metrics")

    def post(self, path: str, body: bytes) -> Reply:
        if path.startswith(EXTRACT) and self._extraction is not None:
            return _extracted(self._extraction, unquote(path.removeprefix(EXTRACT)), body)
        if path != "/predict" or self._queries is None:
            raise Refused(404, f"nothing can be sent to {path[:200]} here")
        stream, features = _query(body)
        try:
            return _json(200, self._queries.answer(stream, features).model_dump())
        except UnknownStream:
            raise Refused(404, f"no stream {stream} here") from None
        except ValueError as error:
            raise Refused(422, f"features: {error}") from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, ops: Ops) -> None:
        self.ops = ops
        self.address_family = AF_INET6 if ":" in host else AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without the look-up of our own name in the DNS, which the standard library makes and nobody needs."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "prequel", int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go whenever they like; anything else is a bug, and shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
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
            self.server.ops.admit(path, {name.lower(): value for name, value in self.headers.items()})
            reply = self.server.ops.get(path) if self.command == "GET" else self.server.ops.post(path, self._body())
        except Refused as refused:
            self.close_connection |= refused.status == 401  # its body, if any, is still on the connection
            problem = {"status": refused.status, "detail": str(refused)}
            reply = _json(refused.status, problem)._replace(content_type=PROBLEM)
        except Exception:
            logger.exception("%s %s failed", self.command, path[:200])
            problem = {
                "status": 500,
                "detail": "a bug; the log of this service has the traceback: please report it",
            }
            reply = _json(500, problem)._replace(content_type=PROBLEM)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        if reply.status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def _body(self) -> bytes:
        """Raises Refused before reading what is too large; the connection ends then, since the body is still on it."""
        length = self.headers.get("Content-Length", "")
        known = length.isascii() and length.isdecimal()
        if known and int(length) <= MOST_BODY_BYTES:
            return self.rfile.read(int(length))
        self.close_connection = True
        raise (
            Refused(413, f"larger than {MOST_BODY_BYTES} bytes") if known else Refused(411, "Content-Length is missing")
        )

    def log_message(self, format: str, *args: object) -> None:
        """Requests are counted by whoever asks, not logged."""


def _json(status: int, body: object) -> Reply:
    return Reply(status, orjson.dumps(body))


def _extracted(extraction: Extraction, backbone: str, body: bytes) -> Reply:
    try:
        features = extraction.extract(backbone, body)
    except Rejected as rejected:
        raise Refused(413 if rejected.reason == "too-large" else 422, rejected.detail) from None
    except ExtractorUnavailable as error:
        raise Refused(503, str(error)) from None
    return Reply(200, orjson.dumps({"features": features}, option=orjson.OPT_SERIALIZE_NUMPY))


def _query(body: bytes) -> tuple[str, Vector]:
    try:
        query = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(422, f"not JSON: {error}") from None
    if not isinstance(query, dict) or not isinstance(query.get("stream"), str) or not valid_stream(query["stream"]):
        raise Refused(422, "stream: is not a stream name")
    return query["stream"], _vector(query.get("features"))


def _vector(features: object) -> Vector:
    if not isinstance(features, list) or not features or not all(type(value) in (float, int) for value in features):
        raise Refused(422, "features: is not a list of numbers")
    try:
        with np.errstate(over="ignore"):
            vector = np.asarray(features, np.float32)
    except OverflowError:
        raise Refused(422, "features: a number is too large") from None
    if not np.isfinite(vector).all():
        raise Refused(422, "features: a number is too large for 32-bit floating point")
    return vector
