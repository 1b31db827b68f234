"""Errors as RFC 9457 problem+json: what is wrong, where, and what to do."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
"""Most outages are a restart or a new leader, over in seconds; clients that come sooner only add to the load."""


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
    """422 for one field, in the form of FastAPI's own validation."""
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
