"""Calls for streams: all of them, one, its accuracy curve, its confusion matrix."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from services.gateway.answers import ConfusionAnswer, Curve, StreamAnswer, StreamList, described, json_answer
from services.gateway.gateway import Gateway
from services.gateway.known_streams import missing
from services.gateway.parameters import StreamName, only_known
from services.gateway.problems import invalid
from shared.status import StreamStatus


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["streams"], dependencies=[Depends(only_known)])

    @router.get("/v1/streams", response_model=StreamList, responses=described(503), summary="All streams")
    async def list_streams() -> Response:
        """The status of every stream that a learner has learned anything of."""
        found = await gateway.statuses.all()
        return json_answer({"streams": [gateway.statuses.summary(each) for each in found]})

    @router.get(
        "/v1/streams/{stream}", response_model=StreamAnswer, responses=described(404, 422, 503), summary="One stream"
    )
    async def read_stream(stream: StreamName) -> Response:
        """Counts, and per model the prequential metrics: every example scored before it was learned."""
        return json_answer(gateway.statuses.summary(await _status(gateway, stream)))

    @router.get(
        "/v1/streams/{stream}/curve",
        response_model=Curve,
        responses=described(404, 422, 503),
        summary="Accuracy curve",
    )
    async def read_curve(stream: StreamName) -> Response:
        status = await _status(gateway, stream)
        return json_answer({"stream": stream, "points": _dumped(status.curve), "drifts": _dumped(status.drifts)})

    @router.get(
        "/v1/streams/{stream}/confusion",
        response_model=ConfusionAnswer,
        responses=described(404, 422, 503),
        summary="Confusion matrix",
    )
    async def read_confusion(
        stream: StreamName,
        model: Annotated[str | None, Query(max_length=200, description="empty: the champion")] = None,
    ) -> Response:
        status = await _status(gateway, stream)
        name = model or status.champion
        if name not in status.confusion:
            raise invalid("model", f"no model {name!r} in this stream; there are {', '.join(status.confusion)}")
        return json_answer({"stream": stream, "model": name, **status.confusion[name].model_dump()})

    return router


def _dumped(models: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [model.model_dump() for model in models]


async def _status(gateway: Gateway, stream: str) -> StreamStatus:
    status = await gateway.statuses.get(stream)
    if status is None:
        raise missing(stream, [each.stream for each in await gateway.statuses.all()])
    return status
