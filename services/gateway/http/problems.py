"""Errors as RFC 9457 problem+json: what is wrong, where, and what to do."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from prequel.services.gateway.blocking_calls import Late
from prequel.services.gateway.remote.learner import LearnerUnavailable
from prequel.shared.extraction import ExtractorUnavailable
from prequel.shared.log.base import LogUnavailable, RecordTooLarge
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.validation_messages import explain

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
Handler = Callable[[Request, Exception], Awaitable[Response]]


class Problem(HTTPException):
    """An answer that is an error. ``more`` are further members of the JSON (the id of the image, the errors)."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.more = dict(more or {})


def invalid(field: str, message: str) -> Problem:
    """422 for one field, as the validation of FastAPI would answer it."""
    return Problem(422, f"{field}: {message}", more={"errors": [{"field": field, "message": message}]})


def unavailable(detail: str, more: Mapping[str, object] | None = None) -> Problem:
    """503 that a client should repeat after a second."""
    return Problem(503, detail, {"Retry-After": str(RETRY_SECONDS)}, more)


def problem_response(problem: HTTPException) -> Response:
    """The problem as a response; 405 keeps its Allow header, 401 its challenge."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status_code).phrase,
        "status": problem.status_code,
        "detail": problem.detail,
    }
    if isinstance(problem, Problem):
        body |= problem.more
    return Response(orjson.dumps(body), problem.status_code, dict(problem.headers or {}), MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of the app be answered as a problem."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and not isinstance(error, Problem):
        error = Problem(404, f"there is nothing at {request.url.path}; /docs lists the calls")
    if error.status_code == 405 and not isinstance(error, Problem):
        there = ", ".join(_methods(request)) or (error.headers or {}).get("Allow", "nothing")
        detail = f"{request.method} is no call at {request.url.path}: there is {there}; /docs lists all"
        error = Problem(405, detail, {"Allow": there})
    if error.status_code == 400 and not isinstance(error, Problem):
        # What the framework says of bodies that it cannot parse.
        error = invalid("body", error.detail)
    return problem_response(error)


def _methods(request: Request) -> list[str]:
    """All that there are at a path: the framework tells those of its first route only."""
    asked = {method: {**request.scope, "method": method} for method in METHODS}
    routes = request.app.routes
    return [each for each, scope in asked.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)]


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    json = "json" in request.headers.get("content-type", "")
    errors = [{"field": _field(problem), "message": _message(problem, json)} for problem in error.errors()]
    detail = "; ".join(f"{problem['field']}: {problem['message']}" for problem in errors[:5])
    return problem_response(Problem(422, detail, more={"errors": errors[:100]}))


async def _log_away(request: Request, error: Exception) -> Response:
    return problem_response(unavailable(f"the log cannot be reached now: {error}; send the request again"))


async def _store_away(request: Request, error: Exception) -> Response:
    return problem_response(unavailable(f"the store cannot be reached now: {error}; send the request again"))


async def _late(request: Request, error: Exception) -> Response:
    return problem_response(unavailable(f"the log, or the learner, does not answer ({error}); send the request again"))


async def _learner_away(request: Request, error: Exception) -> Response:
    return problem_response(unavailable(f"{error}; send the request again"))


async def _too_large(request: Request, error: Exception) -> Response:
    return problem_response(Problem(413, f"larger than the log accepts: {error}"))


async def _cut_off(request: Request, error: Exception) -> Response:
    """Nobody reads it; metrics count it."""
    return problem_response(Problem(400, "the connection ended before the request did; nothing of it was taken"))


async def _bug(request: Request, error: Exception) -> Response:
    return problem_response(Problem(500, "the gateway has a bug here; its log has the traceback: please report it"))


_HANDLERS: dict[type[Exception], Handler] = {
    HTTPException: _http,
    RequestValidationError: _validation,
    LogUnavailable: _log_away,
    StoreUnavailable: _store_away,
    LearnerUnavailable: _learner_away,
    Late: _late,
    ExtractorUnavailable: _learner_away,
    RecordTooLarge: _too_large,
    ClientDisconnect: _cut_off,
    Exception: _bug,
}

_PARTS = {"path", "query", "header", "body", "cookie"}


def _field(problem: Mapping[str, Any]) -> str:
    """The field as a client knows it: ``label``, ``features.3``, ``1.id`` (in a list), ``body`` for all of it."""
    if problem["type"] == "json_invalid":
        return "body"
    names = [str(part) for part in problem["loc"] if part not in ("one", "several", "vector")]
    inner = names[1:] if names and names[0] in _PARTS else names
    return ".".join(inner) or "body"


def _message(problem: Mapping[str, Any], json: bool) -> str:
    """``json``: whether the body is called JSON."""
    if problem["type"] == "json_invalid":
        return f"not JSON: {problem.get('ctx', {}).get('error', problem['msg'])}"
    if _field(problem) == "body" and problem["type"] == "missing":
        return "is empty"
    if _field(problem) == "body" and not json:
        return f"{explain(problem)}, sent with Content-Type: application/json"
    return explain(problem)
