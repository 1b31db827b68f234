"""Calls that read streams: all of them, one, its accuracy curve, its confusion matrix, its reliability."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from prequel.services.gateway.gateway import CurrentGateway, Gateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.parameters import MAX_MODEL, POSITION, StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.problems import invalid
from prequel.services.gateway.http.schemas import (
    ConfusionAnswer,
    CurveAnswer,
    ReliabilityAnswer,
    StreamAnswer,
    StreamList,
)
from prequel.shared.log.base import Position
from prequel.shared.retention.usage import TopicUsage
from prequel.shared.status import MAX_LABELS, StreamStatus

After = Annotated[
    str | None,
    Query(pattern=POSITION, description="position of a prediction or outcome that the answer must include"),
]
MatrixModel = Annotated[str | None, Query(max_length=MAX_MODEL, description="empty: the champion")]

router = APIRouter(tags=["streams"], dependencies=[Depends(refuse_unknown_parameters)])


@router.get("/v1/streams", response_model=StreamList, responses=problem_responses(503), summary="All streams")
async def list_streams(gateway: CurrentGateway) -> Response:
    """The status of every stream that a learner publishes.

    The list and the live status name the 50 most frequent classes of each stream; the call for one stream names all.
    """
    statuses = await gateway.statuses.all()
    streams = [_listed_stream(gateway, status) for status in statuses]
    return json_answer({"streams": streams, "log": _log_size(gateway)})


@router.get(
    "/v1/streams/{stream}",
    response_model=StreamAnswer,
    responses=problem_responses(404, 422, 503),
    summary="One stream",
)
async def read_stream(gateway: CurrentGateway, stream: StreamName, after: After = None) -> Response:
    """Counts, and per model the prequential metrics: every example scored before it was learned.

    It includes all that a call with `wait` has answered here or, with `after`, at another gateway. While the store is
    away, it is the newest known: `age_seconds` (and the header Age) says how old.
    """
    status = await _status(gateway, stream, after)
    answer = gateway.statuses.summary(status)
    if len(status.labels) > MAX_LABELS:  # then the status has only some of the classes
        detail = await gateway.details.get(status)
        for name, classes in detail.classes.items():
            answer["models"].get(name, {})["classes"] = {
                label: class_status.model_dump() for label, class_status in classes.items()
            }
    return _answer_with_age(gateway, stream, answer)


@router.get(
    "/v1/streams/{stream}/curve",
    response_model=CurveAnswer,
    responses=problem_responses(404, 422, 503),
    summary="Accuracy curve",
)
async def read_curve(gateway: CurrentGateway, stream: StreamName, after: After = None) -> Response:
    status = await _status(gateway, stream, after)
    curve = (await gateway.details.get(status)).curve
    answer = {"stream": stream, "points": _dump(curve), "drifts": _dump(status.drifts)}
    return _answer_with_age(gateway, stream, answer)


@router.get(
    "/v1/streams/{stream}/confusion",
    response_model=ConfusionAnswer,
    responses=problem_responses(404, 422, 503),
    summary="Confusion matrix",
)
async def read_confusion(
    gateway: CurrentGateway, stream: StreamName, model: MatrixModel = None, after: After = None
) -> Response:
    status = await _status(gateway, stream, after)
    name = model or status.champion
    confusion = (await gateway.details.get(status)).confusion
    if name not in confusion:
        raise invalid("model", f"this stream has no model {name[:100]!r}; it has {', '.join(confusion)}")
    return _answer_with_age(gateway, stream, {"stream": stream, "model": name, **confusion[name].model_dump()})


@router.get(
    "/v1/streams/{stream}/reliability",
    response_model=ReliabilityAnswer,
    responses=problem_responses(404, 422, 503),
    summary="Reliability curves",
)
async def read_reliability(gateway: CurrentGateway, stream: StreamName, after: After = None) -> Response:
    """How often each model was right when it was so sure, over about the newest 4,000 scored examples."""
    status = await _status(gateway, stream, after)
    reliability = (await gateway.details.get(status)).reliability
    answer = {"stream": stream, "models": {name: _dump(points) for name, points in reliability.items()}}
    return _answer_with_age(gateway, stream, answer)


async def _status(gateway: Gateway, stream: str, after: str | None) -> StreamStatus:
    status = await gateway.statuses.get(stream, Position.parse(after) if after else None)
    if status is None:
        raise await gateway.known_streams.not_found(stream)
    return status


def _answer_with_age(gateway: Gateway, stream: str, body: dict[str, Any]) -> Response:
    answer = json_answer(body)
    answer.headers["Age"] = str(int(gateway.statuses.age(stream)))
    return answer


def _listed_stream(gateway: Gateway, status: StreamStatus) -> dict[str, Any]:
    """With the time of its newest image; a status only has the time when it was written, even if nothing changed."""
    return gateway.statuses.summary(status) | {"active_at": gateway.live.gallery.active_at(status.stream)}


def _log_size(gateway: Gateway) -> dict[str, Any] | None:
    usage = gateway.usage()
    if usage is None:
        return None
    return {
        "topics": [_topic_size(topic) for topic in usage.topics],
        "free": usage.free,
        "total": usage.total,
        "warning": usage.warning,
        "age_seconds": max(0.0, gateway.clock() - usage.at),
    }


def _topic_size(topic: TopicUsage) -> dict[str, Any]:
    return {
        "topic": topic.topic,
        "bytes": topic.bytes,
        "records": topic.records,
        "retention": topic.retention,
        "held": topic.kept_because,
        "age_seconds": topic.age_seconds,
        "limit_bytes": topic.limit_bytes,
    }


def _dump(models: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [model.model_dump() for model in models]
