"""Answers: JSON, problems for what became a dead letter, and a route's list of problems for its description."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

from prequel.services.gateway.http.problems import MEDIA_TYPE, Problem
from prequel.services.gateway.view.dead_letters import DeadLetter
from prequel.shared.events.types import Rejected

PROBLEM_MEANINGS = {
    401: "An API key is needed.",
    404: "There is no such thing; the detail says what to look for.",
    409: "It conflicts with what exists: the id is something else's, or there is no room. The detail says what to do.",
    410: "It was there, and retention or a deletion has removed it.",
    413: "The body, or the image, is larger than allowed.",
    415: "The Content-Type is not supported here.",
    422: "Something is invalid; errors names the field.",
    501: "A package that this needs is not installed where the gateway runs.",
    503: "The log, the store or the learner is unavailable: send it again after Retry-After seconds.",
}


def json_answer(body: object, status: int = 200) -> Response:
    """Straight to bytes: FastAPI would validate and copy what the gateway itself has just built."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def dead_letter_problem(dead_letter: DeadLetter, position: str) -> Problem:
    """For a request that waits for something that became a dead letter."""
    reason = dead_letter.reason
    return _rejection(reason, dead_letter.detail, {"reason": reason, "id": dead_letter.id, "position": position})


def rejected_problem(rejected: Rejected) -> Problem:
    """For an image that was sent on demand, and that would become a dead letter on a stream."""
    return _rejection(rejected.reason, rejected.detail, {"reason": rejected.reason})


def _rejection(reason: str, detail: str, more: Mapping[str, object]) -> Problem:
    return Problem(413 if reason == "too-large" else 422, f"{reason}: {detail}", more=more)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route can answer with, for its description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    return {status: {"description": PROBLEM_MEANINGS[status], "content": content} for status in statuses}
