"""Calls for predictions: one by its image, the gallery's list, and answers for features that are no event."""

import asyncio
import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Literal, NamedTuple

import numpy as np
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, FailFast, Field

from services.gateway.answers import PredictionAnswer, PredictionList, described, json_answer
from services.gateway.gateway import Gateway
from services.gateway.live import Refusal
from services.gateway.parameters import ImageId, StreamName, Wait, only_known
from services.gateway.problems import Problem, invalid, unavailable
from services.gateway.view import Entry
from shared.events import Vector, prediction_json
from shared.log import Position
from shared.status import Answer, UnknownStream

MOST_FEATURES = 1_000_000
MOST_LISTED = 1_000

Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="how many at most")]
Sort = Annotated[Literal["recent", "uncertain"], Query(description="newest first, or least certain first")]
PredictedAs = Annotated[
    str | None, Query(max_length=128, description="only those predicted as this; empty: as nothing")
]
TrulyOf = Annotated[str | None, Query(max_length=128, description="only those truly of this; empty: not labelled")]
Wrong = Annotated[bool | None, Query(description="only those predicted wrongly (false: rightly)")]
Before = Annotated[
    str | None, Query(pattern=r"^\d{1,9}:\d{1,18}$", description="only older ones: `next` of the answer before")
]


class Given(BaseModel):
    """A feature vector of the stream's backbone."""

    model_config = ConfigDict(extra="forbid", strict=True)

    features: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False)]],
        Field(min_length=1, max_length=MOST_FEATURES),
        FailFast(),
    ]


class Wanted(NamedTuple):
    """Which predictions a list is to hold; None: any."""

    predicted: str | None
    truth: str | None
    wrong: bool | None
    before: Position | None

    def fits(self, entry: Entry) -> bool:
        prediction = entry.prediction
        return (
            (self.predicted is None or self.predicted == (prediction.label or ""))
            and (self.truth is None or self.truth == (prediction.truth or ""))
            and (self.wrong is None or self._judged(entry))
            and (self.before is None or prediction.position < self.before)
        )

    def _judged(self, entry: Entry) -> bool:
        prediction = entry.prediction
        return prediction.truth is not None and (prediction.truth != prediction.label) is self.wrong


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["predictions"], dependencies=[Depends(only_known)])

    @router.get(
        "/v1/streams/{stream}/predictions/{id}",
        response_model=PredictionAnswer,
        responses=described(404, 422, 503),
        summary="One prediction",
    )
    async def read_prediction(stream: StreamName, id: ImageId, wait: Wait = 0) -> Response:
        """The prediction made of an image, with its present truth; with `wait`, as soon as it is there."""
        found = await gateway.live.prediction(stream, id, wait)
        if found is None and not gateway.live.current:
            raise unavailable("the gateway is still reading the newest predictions")
        if isinstance(found, Refusal):
            raise Problem(
                404, f"image {id} has no prediction: {found.reason}: {found.detail}", more={"reason": found.reason}
            )
        if found is None:
            raise Problem(
                404, f"no prediction of {id} in stream {stream}: not made yet (ask with wait), or no longer kept"
            )
        return json_answer(prediction_json(found))

    @router.get(
        "/v1/streams/{stream}/predictions",
        response_model=PredictionList,
        responses=described(422, 503),
        summary="Many predictions",
    )
    async def list_predictions(
        stream: StreamName,
        sort: Sort = "recent",
        predicted: PredictedAs = None,
        truth: TrulyOf = None,
        wrong: Wrong = None,
        limit: Limit = 50,
        before: Before = None,
    ) -> Response:
        """Among the newest that are kept. A stream nobody has sent anything to has none."""
        if not gateway.live.current:
            raise unavailable("the gateway is still reading the newest predictions")
        wanted = Wanted(predicted, truth, wrong, Position.parse(before) if before else None)
        entries = gateway.live.view.newest(stream)
        select = _SELECT[sort]
        chosen = await asyncio.to_thread(select, filter(wanted.fits, entries), limit)
        following = str(chosen[-1].prediction.position) if sort == "recent" and len(chosen) == limit else None
        return json_answer({"predictions": [prediction_json(each.prediction) for each in chosen], "next": following})

    @router.post(
        "/v1/streams/{stream}/predict",
        response_model=Answer,
        responses=described(404, 413, 422, 503),
        summary="Ask without an event",
    )
    async def predict(stream: StreamName, body: Given) -> Response:
        """What the newest state says of a feature vector. Nothing is stored, counted or learned."""
        try:
            answer = await asyncio.to_thread(gateway.queries.answer, stream, _vector(body.features))
        except UnknownStream:
            raise Problem(404, f"no learner knows the stream {stream}: it comes to life with its first image") from None
        except ValueError as error:
            raise invalid("features", str(error)) from None
        return json_answer(answer.model_dump())

    return router


def _vector(features: list[float]) -> Vector:
    with np.errstate(over="ignore"):
        vector = np.asarray(features, np.float32)
    if not np.isfinite(vector).all():
        place = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise invalid(f"features.{place}", "is too large for 32-bit floating point")
    return vector


def _recent(entries: Iterator[Entry], limit: int) -> list[Entry]:
    return list(islice(entries, limit))


def _uncertain(entries: Iterator[Entry], limit: int) -> list[Entry]:
    """Smallest margin first; of equal ones the newest."""
    return heapq.nsmallest(limit, entries, key=lambda entry: entry.margin)


_SELECT: dict[str, Callable[[Iterator[Entry], int], Sequence[Entry]]] = {"recent": _recent, "uncertain": _uncertain}
