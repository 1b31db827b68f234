"""Calls for those who run the service: alive, ready, metrics, and the page's session."""

from contextlib import suppress

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.access import COOKIE, SESSION_SECONDS
from prequel.services.gateway.http.answers import described, json_answer
from prequel.services.gateway.http.problems import Problem
from prequel.shared.store.base import StoreUnavailable


class Alive(BaseModel):
    """``alive`` is false when a part has stopped for good: restart the process."""

    alive: bool
    reason: str | None = None


class Ready(BaseModel):
    """``reasons`` by part, when something is waited for."""

    ready: bool
    reasons: dict[str, str]


class GivenKey(BaseModel):
    """One of the gateway's API keys."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: str = Field(max_length=1_000)


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["operations"])

    def secure(request: Request) -> bool:
        """Whether browsers come by TLS: perhaps only as far as a proxy."""
        return request.url.scheme == "https" or gateway.settings.public_url.startswith("https://")

    @router.get("/healthz", response_model=Alive, responses={503: {"model": Alive}}, summary="Alive?")
    async def healthz() -> Response:
        failed = gateway.health.failed
        return json_answer({"alive": failed is None, "reason": failed}, 503 if failed else 200)

    @router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}}, summary="Ready?")
    async def readyz() -> Response:
        await _ask_store(gateway)
        reasons = gateway.health.reasons
        return json_answer({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    @router.get("/metrics", response_class=Response, summary="Prometheus metrics")
    def metrics() -> Response:
        return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @router.post("/v1/session", status_code=204, responses=described(401, 422), summary="Begin the page's session")
    async def begin_session(body: GivenKey, request: Request) -> Response:
        """For browsers, whose images and events cannot send a key: sets a cookie that stands for it for 30 days."""
        answer = Response(status_code=204)
        if gateway.keys:
            key = gateway.keys.match(body.key.encode("utf-8", "replace"))
            if key is None:
                raise Problem(401, "this is none of the gateway's API keys", {"WWW-Authenticate": "Bearer"})
            _set_cookie(answer, gateway.keys.session(key), SESSION_SECONDS, secure(request))
        return answer

    @router.delete("/v1/session", status_code=204, summary="End the page's session")
    async def end_session(request: Request) -> Response:
        answer = Response(status_code=204)
        _set_cookie(answer, "", 0, secure(request))
        return answer

    return router


def _set_cookie(answer: Response, value: str, seconds: int, secure: bool) -> None:
    answer.set_cookie(COOKIE, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict")


async def _ask_store(gateway: Gateway) -> None:
    """The store is asked now: unlike the log, nobody follows it. What came of it is among the reasons then."""
    with suppress(StoreUnavailable):
        await gateway.statuses.check()
