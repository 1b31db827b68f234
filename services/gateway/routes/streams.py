"""Calls for streams: all of them, one, its accuracy curve, its confusion matrix."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.answers import (
    ConfusionAnswer,
    Curve,
    StreamAnswer,
    StreamList,
    described,
    json_answer,
)
from prequel.services.gateway.http.parameters import POSITION, StreamName, only_known
from prequel.services.gateway.http.problems import invalid
from prequel.shared.log.base import Position
from prequel.shared.status import MAX_LABELS, StreamStatus

After = Annotated[
    str | None,
    Query(pattern=POSITION, description="a prediction's or outcome's position, whose effect the answer is to show"),
]


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["streams"], dependencies=[Depends(only_known)])

    @router.get("/v1/streams", response_model=StreamList, responses=described(503), summary="All streams")
    async def list_streams() -> Response:
        """The status of every stream that a learner has learned anything of.

        Of a stream with many classes the 50 most frequent are listed here, and in live status; its own call has all.
        """
        found = await gateway.statuses.all()
        return json_answer({"streams": [_listed(gateway, each) for each in found], "log": _log(gateway)})

    @router.get(
        "/v1/streams/{stream}", response_model=StreamAnswer, responses=described(404, 422, 503), summary="One stream"
    )
    async def read_stream(stream: StreamName, after: After = None) -> Response:
        """Counts, and per model the prequential metrics: every example scored before it was learned.

        It shows whatever a call with `wait` has answered here, or, with `after`, at another gateway. While the store is
        away, it is the newest known: `age_seconds` (and the header Age) tell for how long.
        """
        status = await _status(gateway, stream, after)
        answer = gateway.statuses.summary(status)
        if len(status.labels) > MAX_LABELS:
            detail = await gateway.details.get(status)
            for name, classes in detail.classes.items():
                answer["models"].get(name, {})["classes"] = {
                    label: each.model_dump() for label, each in classes.items()
                }
        return _aged(gateway, stream, answer)

    @router.get(
        "/v1/streams/{stream}/curve",
        response_model=Curve,
        responses=described(404, 422, 503),
        summary="Accuracy curve",
    )
    async def read_curve(stream: StreamName, after: After = None) -> Response:
        status = await _status(gateway, stream, after)
        curve = (await gateway.details.get(status)).curve
        return _aged(gateway, stream, {"stream": stream, "points": _dumped(curve), "drifts": _dumped(status.drifts)})

    @router.get(
        "/v1/streams/{stream}/confusion",
        response_model=ConfusionAnswer,
        responses=described(404, 422, 503),
        summary="Confusion matrix",
    )
    async def read_confusion(
        stream: StreamName,
        model: Annotated[str | None, Query(max_length=200, description="empty: the champion")] = None,
        after: After = None,
    ) -> Response:
        status = await _status(gateway, stream, after)
        name = model or status.champion
        confusion = (await gateway.details.get(status)).confusion
        if name not in confusion:
            raise invalid("model", f"no model {name!r} in this stream; there are {', '.join(confusion)}")
        return _aged(gateway, stream, {"stream": stream, "model": name, **confusion[name].model_dump()})

    return router


def _aged(gateway: Gateway, stream: str, body: dict[str, Any]) -> Response:
    answer = json_answer(body)
    answer.headers["Age"] = str(int(gateway.statuses.age(stream)))
    return answer


def _log(gateway: Gateway) -> dict[str, Any] | None:
    usage = gateway.usage()
    if usage is None:
        return None
    topics = [topic._asdict() for topic in usage.topics]
    age = max(0.0, gateway.clock() - usage.at)
    return {
        "topics": topics,
        "free": usage.free,
        "total": usage.total,
        "warning": usage.warning,
        "age_seconds": age,
    }


def _listed(gateway: Gateway, status: StreamStatus) -> dict[str, Any]:
    """With the time of its newest image: what the status itself says of time is when it was written, changed or not."""
    return gateway.statuses.summary(status) | {"active_at": gateway.live.view.active_at(status.stream)}


def _dumped(models: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [model.model_dump() for model in models]


async def _status(gateway: Gateway, stream: str, after: str | None) -> StreamStatus:
    status = await gateway.statuses.get(stream, Position.parse(after) if after else None)
    if status is None:
        raise await gateway.known.missing(stream)
    return status
