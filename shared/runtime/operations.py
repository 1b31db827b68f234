"""The operations server of extractor and learner: alive, ready, metrics, and their answers to queries."""

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from prequel.shared.api_keys import ApiKeys, request_key
from prequel.shared.events.names import STREAM_RULE, valid_stream
from prequel.shared.events.types import Rejected
from prequel.shared.extraction import Extraction, ExtractorUnavailable
from prequel.shared.queries import ModelCannotLeave, ModelCheck, Queries, UnknownStream
from prequel.shared.runtime.backtest_calls import end_backtest, start_backtest
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.http_server import HttpServer, Reply, RequestError, json_reply
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.opinion_calls import answer_queue, answer_similar
from prequel.shared.runtime.supervisor import Supervisor
from prequel.shared.vectors import InvalidVector, Vector, vector_from_numbers

PUBLIC_PATHS = ("/healthz", "/readyz")
"""Paths that need no key: those who start and stop containers have none, and these answers contain no secret."""
DETAIL = "/detail/"
HISTORY = "/history/"
EXTRACT = "/extract/"
OCTETS = "application/octet-stream"
BACKTESTS = {"/backtests/start": start_backtest, "/backtests/end": end_backtest}


class OperationsServer:
    """Serves ``/healthz``, ``/readyz``, ``/metrics`` and queries on threads of its own.

    With ``queries``, ``POST /predict`` takes ``{"stream", "features"}`` and answers a shared.queries.Answer: 404 where
    the stream is unknown, 422 where the features do not fit it; ``GET /detail/STREAM`` answers a
    shared.status.StreamDetail, ``GET /history/STREAM`` a StreamHistory; ``POST /model-problem`` takes ``{"stream",
    "model"}`` and answers a shared.queries.ModelCheck, ``POST /model-file`` the file, 422 where it cannot leave; ``POST
    /backtests/start`` and ``/end`` answer a shared.backtests.Backtest: see backtest_calls.py. With ``extraction``,
    ``POST /extract/BACKBONE`` takes the bytes of an image and answers ``{"features"}``: 413 and 422 where the image has
    none, 503 where the extractor is unavailable or busy. With ``keys``, all but the two health checks need one. Raises
    OSError where it cannot listen on host and port.
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
        self._server = HttpServer(host, port, self)
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
        """Answer no further request."""
        self._stop.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    # The endpoints, which the HTTP server calls.

    def authorize(self, path: str, headers: Mapping[str, str]) -> None:
        if self._keys and path not in PUBLIC_PATHS and (problem := self._keys.problem(request_key(headers))):
            raise RequestError(401, problem)

    def get(self, path: str) -> Reply:
        if path == "/healthz":
            failed = self._health.failed
            return json_reply(503 if failed else 200, {"alive": failed is None, "reason": failed})
        if path == "/readyz":
            reasons = self._health.reasons
            return json_reply(503 if reasons else 200, {"ready": not reasons, "reasons": reasons})
        if path == "/metrics":
            return Reply(200, generate_latest(self._metrics.registry), CONTENT_TYPE_LATEST)
        if path.startswith(DETAIL) and self._queries is not None:
            return _detail(self._queries, path.removeprefix(DETAIL))
        if path.startswith(HISTORY) and self._queries is not None:
            return _history(self._queries, path.removeprefix(HISTORY))
        raise RequestError(404, f"nothing is at {path[:200]}: use /healthz, /readyz or /metrics")

    def post(self, path: str, body: bytes) -> Reply:
        if path.startswith(EXTRACT) and self._extraction is not None:
            return _extract(self._extraction, unquote(path.removeprefix(EXTRACT)), body)
        if path == "/predict" and self._queries is not None:
            return _predict(self._queries, body)
        if path == "/model-problem" and self._queries is not None:
            return _model_problem(self._queries, body)
        if path == "/model-file" and self._queries is not None:
            return _model_file(self._queries, body)
        if path in BACKTESTS and self._queries is not None:
            return BACKTESTS[path](self._queries, *_query(body))
        if path == "/queue" and self._queries is not None:
            return answer_queue(self._queries, body)
        if path == "/similar" and self._queries is not None:
            return answer_similar(self._queries, body)
        raise RequestError(404, f"{path[:200]} takes no POST request here")


def _detail(queries: Queries, stream: str) -> Reply:
    try:
        return Reply(200, queries.detail(stream).model_dump_json().encode())
    except UnknownStream:
        raise RequestError(404, f"no stream {stream[:200]} here") from None


def _history(queries: Queries, stream: str) -> Reply:
    try:
        return Reply(200, queries.history(stream).model_dump_json().encode())
    except UnknownStream:
        raise RequestError(404, f"no stream {stream[:200]} here") from None


def _model_problem(queries: Queries, body: bytes) -> Reply:
    stream, spec = _model_query(body)
    try:
        return json_reply(200, ModelCheck(problem=queries.model_problem(stream, spec)).model_dump())
    except UnknownStream:
        raise RequestError(404, f"no stream {stream} here") from None


def _model_query(body: bytes) -> tuple[str, str]:
    """The stream and the model that a query is about."""
    stream, query = _query(body)
    if not isinstance(query.get("model"), str):
        raise RequestError(422, "model: must be a model's spec, like ridge;width=512")
    return stream, query["model"]


def _model_file(queries: Queries, body: bytes) -> Reply:
    stream, spec = _model_query(body)
    try:
        return Reply(200, queries.model_file(stream, spec), OCTETS)
    except ModelCannotLeave as error:
        raise RequestError(422, str(error)) from None
    except UnknownStream:
        raise RequestError(404, f"no stream {stream} here") from None


def _predict(queries: Queries, body: bytes) -> Reply:
    stream, query = _query(body)
    features = _features(query)
    try:
        return json_reply(200, queries.answer(stream, features).model_dump())
    except UnknownStream:
        raise RequestError(404, f"no stream {stream} here") from None
    except ValueError as error:
        raise RequestError(422, f"features: {error}") from None


def _query(body: bytes) -> tuple[str, dict[str, Any]]:
    """The stream that a query is about, and all its fields."""
    try:
        query = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(422, f"the body is not JSON: {error}") from None
    if not isinstance(query, dict) or not isinstance(query.get("stream"), str) or not valid_stream(query["stream"]):
        raise RequestError(422, f"stream: must be the name of a stream, {STREAM_RULE}")
    return query["stream"], query


def _features(query: dict[str, Any]) -> Vector:
    try:
        return vector_from_numbers(query.get("features"))
    except InvalidVector as error:
        raise RequestError(422, f"features: {error}") from None


def _extract(extraction: Extraction, backbone: str, body: bytes) -> Reply:
    try:
        features = extraction.extract(backbone, body)
    except Rejected as rejected:
        raise RequestError(413 if rejected.reason == "too-large" else 422, rejected.detail) from None
    except ExtractorUnavailable as error:
        raise RequestError(503, str(error)) from None
    return Reply(200, orjson.dumps({"features": features}, option=orjson.OPT_SERIALIZE_NUMPY))
