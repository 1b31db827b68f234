"""Calls for operations: liveness, readiness, metrics, and the page's session."""

from contextlib import suppress

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from prequel.services.gateway.gateway import CurrentGateway, Gateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.problems import Problem
from prequel.services.gateway.http.sessions import COOKIE, SESSION_SECONDS
from prequel.shared.store.base import StoreUnavailable

router = APIRouter(tags=["operations"])
"""Unknown parameters are ignored here: probes and scrapers add their own."""


class Liveness(BaseModel):
    """``alive`` is false when a part has stopped for good: restart the process."""

    alive: bool
    reason: str | None = None


class Readiness(BaseModel):
    """``reasons`` says which part waits for what."""

    ready: bool
    reasons: dict[str, str]


class KeyBody(BaseModel):
    """One of the gateway's API keys."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: str = Field(max_length=1_000)


@router.get("/healthz", response_model=Liveness, responses={503: {"model": Liveness}}, summary="Alive?")
async def healthz(gateway: CurrentGateway) -> Response:
    failed = gateway.health.failed
    return json_answer({"alive": failed is None, "reason": failed}, 503 if failed else 200)


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}}, summary="Ready?")
async def readyz(gateway: CurrentGateway) -> Response:
    # The followers notice when the log is away; nothing asks the store while no requests come, so this does.
    with suppress(StoreUnavailable):  # by now among the reasons
        await gateway.statuses.check()
    reasons = gateway.health.reasons
    return json_answer({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)


@router.get("/metrics", response_class=Response, summary="Prometheus metrics")
def metrics(gateway: CurrentGateway) -> Response:
    return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.post("/v1/session", status_code=204, responses=problem_responses(401, 422), summary="Begin the page's session")
async def begin_session(gateway: CurrentGateway, body: KeyBody, request: Request) -> Response:
    """For browsers, which cannot send a key with images and live events: sets a cookie that replaces it for 30 days."""
    answer = Response(status_code=204)
    if gateway.credentials:
        key = gateway.credentials.match(body.key.encode("utf-8", "replace"))
        if key is None:
            raise Problem(401, "this is not one of the gateway's API keys", {"WWW-Authenticate": "Bearer"})
        session = gateway.credentials.new_session(key)
        _set_cookie(answer, session, SESSION_SECONDS, _uses_tls(gateway, request))
    return answer


@router.delete("/v1/session", status_code=204, summary="End the page's session")
async def end_session(gateway: CurrentGateway, request: Request) -> Response:
    answer = Response(status_code=204)
    _set_cookie(answer, "", 0, _uses_tls(gateway, request))
    return answer


def _uses_tls(gateway: Gateway, request: Request) -> bool:
    """Whether browsers use TLS, though perhaps only as far as a proxy: then the cookie must not go without it."""
    return request.url.scheme == "https" or gateway.settings.public_url.startswith("https://")


def _set_cookie(answer: Response, value: str, seconds: int, secure: bool) -> None:
    answer.set_cookie(COOKIE, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict")
