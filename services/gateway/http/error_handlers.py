"""Which problem each exception becomes, so that every error of the application is answered as problem+json."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from prequel.services.gateway.blocking_calls import CallTimeout
from prequel.services.gateway.http.command_bodies import COMMANDS, LEARNERS_COMMAND
from prequel.services.gateway.http.problems import Problem, invalid, problem_response, unavailable
from prequel.services.gateway.remote.learner import LearnerUnavailable
from prequel.shared.extraction import ExtractorUnavailable
from prequel.shared.log.base import LogUnavailable, RecordTooLarge
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.validation_messages import explain

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
MAX_ERRORS = 100
"""Invalid fields that are listed in an answer: a request may have a million of them."""
Handler = Callable[[Request, Exception], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Answer every exception of the app as a problem."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def _http(request: Request, error: Exception) -> Response:
    """Problems as they are; the framework's own errors get a detail that says what to do."""
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return problem_response(error)
    path = request.url.path
    if error.status_code == 404:
        error = Problem(404, f"there is nothing at {path}; /docs lists the calls")
    elif error.status_code == 405:
        allowed = ", ".join(_methods(request)) or (error.headers or {}).get("Allow", "nothing")
        detail = f"{request.method} is not allowed at {path}, only {allowed}; /docs lists the calls"
        error = Problem(405, detail, {"Allow": allowed})
    elif error.status_code == 400:  # a body that the framework cannot parse
        error = invalid("body", error.detail)
    return problem_response(error)


def _methods(request: Request) -> list[str]:
    """All methods of a path: the framework's own Allow header has those of its first route only."""
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    routes = request.app.routes
    return [name for name, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)]


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    json = "json" in request.headers.get("content-type", "")
    errors = [{"field": _field(problem), "message": _message(problem, json)} for problem in error.errors()]
    detail = "; ".join(f"{problem['field']}: {problem['message']}" for problem in errors[:5])
    return problem_response(Problem(422, detail, more={"errors": errors[:MAX_ERRORS]}))


async def _log_unavailable(request: Request, error: Exception) -> Response:
    return problem_response(unavailable(f"the log cannot be reached: {error}; send the request again"))


async def _store_unavailable(request: Request, error: Exception) -> Response:
    return problem_response(unavailable(f"the store cannot be reached: {error}; send the request again"))


async def _call_timeout(request: Request, error: Exception) -> Response:
    detail = f"the log, or the learner, does not answer ({error}); send the request again"
    return problem_response(unavailable(detail))


async def _service_unavailable(request: Request, error: Exception) -> Response:
    return problem_response(unavailable(f"{error}; send the request again"))


async def _too_large(request: Request, error: Exception) -> Response:
    return problem_response(Problem(413, f"the event is larger than the log accepts: {error}"))


async def _disconnected(request: Request, error: Exception) -> Response:
    """The client is gone and reads no answer; the status is for the metrics."""
    return problem_response(
        Problem(400, "the connection was closed before the whole request arrived; nothing was appended")
    )


async def _bug(request: Request, error: Exception) -> Response:
    return problem_response(Problem(500, "a bug in the gateway; please report it with the traceback in its log"))


_HANDLERS: dict[type[Exception], Handler] = {
    HTTPException: _http,
    RequestValidationError: _validation,
    LogUnavailable: _log_unavailable,
    StoreUnavailable: _store_unavailable,
    LearnerUnavailable: _service_unavailable,
    CallTimeout: _call_timeout,
    ExtractorUnavailable: _service_unavailable,
    RecordTooLarge: _too_large,
    ClientDisconnect: _disconnected,
    Exception: _bug,
}

_LOCATIONS = {"path", "query", "header", "body", "cookie"}
_UNION_TAGS = ("one", "several", "vector", *COMMANDS)
"""Names that pydantic puts into a field's path for a member of a union; clients never sent them there."""
_ERRORS_OF_DO = ("union_tag_invalid", "union_tag_not_found", LEARNERS_COMMAND)
"""Errors that pydantic finds before it knows which command a body is; the field that is wrong is ``do``."""


def _field(problem: Mapping[str, Any]) -> str:
    """The field as a client knows it: ``label``, ``features.3``, ``1.id`` (in a list), ``body`` for all of it."""
    if problem["type"] == "json_invalid":
        return "body"
    if problem["type"] in _ERRORS_OF_DO:
        return "do"
    names = [str(part) for part in problem["loc"] if part not in _UNION_TAGS]
    inner = names[1:] if names and names[0] in _LOCATIONS else names
    return ".".join(inner) or "body"


def _message(problem: Mapping[str, Any], json: bool) -> str:
    """``json``: whether the request's Content-Type is JSON."""
    if problem["type"] == "json_invalid":
        return f"not JSON: {problem.get('ctx', {}).get('error', problem['msg'])}"
    if _field(problem) == "body" and problem["type"] == "missing":
        return "is empty"
    if _field(problem) == "body" and not json:
        return f"{explain(problem)}, sent with Content-Type: application/json"
    return explain(problem)
