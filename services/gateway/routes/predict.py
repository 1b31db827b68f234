"""The call that predicts on demand, from features or an image, without an event."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Discriminator, FailFast, Field, Tag

from prequel.services.gateway.blocking_calls import CallTimeout
from prequel.services.gateway.gateway import CurrentGateway, Gateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.parameters import StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.problems import Problem, invalid
from prequel.services.gateway.http.schemas import BINARY
from prequel.shared.queries import Answer, UnknownStream
from prequel.shared.runtime.deadlines import QUERY_S
from prequel.shared.vectors import MAX_FEATURES, InvalidVector, Vector, vector_from_numbers

router = APIRouter(tags=["predictions"], dependencies=[Depends(refuse_unknown_parameters)])


class FeaturesBody(BaseModel):
    """A feature vector of the stream's backbone."""

    model_config = ConfigDict(extra="forbid", strict=True)

    features: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False)]],
        Field(min_length=1, max_length=MAX_FEATURES),
        FailFast(),
    ]


def _bytes_or_vector(body: object) -> str:
    return "bytes" if isinstance(body, bytes) else "vector"


ImageOrFeatures = Annotated[
    Annotated[FeaturesBody, Tag("vector")] | Annotated[bytes, Tag("bytes")], Discriminator(_bytes_or_vector)
]


@router.post(
    "/v1/streams/{stream}/predict",
    response_model=Answer,
    responses=problem_responses(404, 409, 413, 415, 422, 503),
    openapi_extra={"requestBody": {"content": {"image/*": BINARY}}},
    summary="Predict without an event",
)
async def predict(gateway: CurrentGateway, request: Request, stream: StreamName, body: ImageOrFeatures) -> Response:
    """The newest models' prediction of an image, or of a feature vector. Nothing is stored, counted or learned.

    An image is the body itself, as in the call that sends images; the stream's own backbone extracts its features.
    """
    try:
        async with asyncio.timeout(QUERY_S):  # of both steps together: features, then the prediction
            vector = await _features(gateway, request, stream, body)
            answer = await gateway.query_calls.run(lambda: gateway.queries.answer(stream, vector))
    except TimeoutError:
        raise CallTimeout(f"no answer within {QUERY_S:g} s") from None
    except UnknownStream:
        raise Problem(404, f"no learner has a stream {stream!r}: its first image creates it") from None
    except ValueError as error:
        raise invalid("features", str(error)) from None
    return json_answer(answer.model_dump())


async def _features(gateway: Gateway, request: Request, stream: str, body: FeaturesBody | bytes) -> Vector:
    if isinstance(body, bytes):
        _require_image_type(request)
        await gateway.stream_features.require_extractable(stream)
        return await gateway.on_demand.extract(stream, body)
    return _vector(body.features)


def _require_image_type(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith("image/"):
        raise Problem(
            415,
            f"Content-Type {kind[:100]!r} is neither an image nor features: send the bytes of one image with "
            "Content-Type: image/jpeg (image/png, image/webp, ...), or features as application/json",
        )


def _vector(features: list[float]) -> Vector:
    try:
        return vector_from_numbers(features)
    except InvalidVector as error:
        raise invalid("features" if error.place is None else f"features.{error.place}", str(error)) from None
