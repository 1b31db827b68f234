"""The call that asks the newest state about features, or about an image, without an event."""

import asyncio
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Discriminator, FailFast, Field, Tag

from prequel.services.gateway.blocking_calls import Bounded, Late
from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.answers import BINARY, described, json_answer
from prequel.services.gateway.http.parameters import StreamName, only_known
from prequel.services.gateway.http.problems import Problem, invalid
from prequel.services.gateway.trials import Trials
from prequel.shared.queries import Answer, UnknownStream
from prequel.shared.runtime.deadlines import QUERY_S
from prequel.shared.vectors import Vector

MOST_FEATURES = 1_000_000
QUERIES_AT_ONCE = 4
"""More wait for their turn: a learner that hangs must not take the threads of other calls."""


class Given(BaseModel):
    """A feature vector of the stream's backbone."""

    model_config = ConfigDict(extra="forbid", strict=True)

    features: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False)]],
        Field(min_length=1, max_length=MOST_FEATURES),
        FailFast(),
    ]


def _shape(body: object) -> str:
    return "bytes" if isinstance(body, bytes) else "vector"


Body = Annotated[Annotated[Given, Tag("vector")] | Annotated[bytes, Tag("bytes")], Discriminator(_shape)]


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["predictions"], dependencies=[Depends(only_known)])
    asking, trials = Bounded("gateway-queries", QUERIES_AT_ONCE, QUERY_S), Trials(gateway)

    @router.post(
        "/v1/streams/{stream}/predict",
        response_model=Answer,
        responses=described(404, 413, 415, 422, 503),
        openapi_extra={"requestBody": {"content": {"image/*": BINARY}}},
        summary="Ask without an event",
    )
    async def predict(request: Request, stream: StreamName, body: Body) -> Response:
        """What the newest state says of an image, or of a feature vector. Nothing is stored, counted or learned.

        An image is the body itself, as in the call that sends images; it passes the stream's own backbone.
        """
        try:
            async with asyncio.timeout(QUERY_S):  # Of both parts together: features, and what is said of them.
                if isinstance(body, bytes):
                    vector = await trials.features(stream, _image(request, body))
                else:
                    vector = _vector(body.features)
                answer = await asking.run(lambda: gateway.queries.answer(stream, vector))
        except TimeoutError:
            raise Late(f"no answer within {QUERY_S:g} s") from None
        except UnknownStream:
            raise Problem(404, f"no learner knows the stream {stream}: it comes to life with its first image") from None
        except ValueError as error:
            raise invalid("features", str(error)) from None
        return json_answer(answer.model_dump())

    return router


def _image(request: Request, body: bytes) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith("image/"):
        raise Problem(
            415,
            f"Content-Type {kind[:100]!r} is neither an image nor features: send the bytes of one image with "
            "Content-Type: image/jpeg (image/png, image/webp, ...), or features as application/json",
        )
    return body


def _vector(features: list[float]) -> Vector:
    with np.errstate(over="ignore"):
        vector = np.asarray(features, np.float32)
    if not np.isfinite(vector).all():
        place = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise invalid(f"features.{place}", "is too large for 32-bit floating point")
    return vector
