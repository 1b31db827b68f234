"""Calls for predictions: one by its image, and the gallery's list."""

import asyncio
import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Response

from services.gateway.answers import PredictionAnswer, PredictionList, described, json_answer
from services.gateway.gateway import Gateway
from services.gateway.live import Refusal
from services.gateway.parameters import POSITION, ImageId, OneSpelling, StreamName, Wait, only_known
from services.gateway.problems import Problem, unavailable
from services.gateway.view import Entry
from shared.log import Position

MOST_LISTED = 1_000

Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="how many at most")]
Sort = Annotated[Literal["recent", "uncertain"], Query(description="newest first, or least certain first")]
PredictedAs = Annotated[
    str | None, OneSpelling, Query(max_length=128, description="only those predicted as this; empty: as nothing")
]
TrulyOf = Annotated[
    str | None, OneSpelling, Query(max_length=128, description="only those truly of this; empty: not labelled")
]
Wrong = Annotated[bool | None, Query(description="only those predicted wrongly (false: rightly)")]
Before = Annotated[str | None, Query(pattern=POSITION, description="only older ones: `next` of the answer before")]


class Wanted(NamedTuple):
    """Which predictions a list is to hold; None: any."""

    predicted: str | None
    truth: str | None
    wrong: bool | None
    before: Position | None

    def fits(self, entry: Entry) -> bool:
        return (
            (self.predicted is None or self.predicted == (entry.label or ""))
            and (self.truth is None or self.truth == (entry.truth or ""))
            and (self.wrong is None or self._judged(entry))
            and (self.before is None or entry.position < self.before)
        )

    def _judged(self, entry: Entry) -> bool:
        """Who abstains is neither right nor wrong."""
        return None not in (entry.truth, entry.label) and (entry.truth != entry.label) is self.wrong


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
        return json_answer(found.json())

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
        following = str(chosen[-1].position) if sort == "recent" and len(chosen) == limit else None
        return json_answer({"predictions": [each.json() for each in chosen], "next": following})

    return router


def _recent(entries: Iterator[Entry], limit: int) -> list[Entry]:
    return list(islice(entries, limit))


def _uncertain(entries: Iterator[Entry], limit: int) -> list[Entry]:
    """Smallest margin first; of equal ones the newest."""
    return heapq.nsmallest(limit, entries, key=lambda entry: entry.margin)


_SELECT: dict[str, Callable[[Iterator[Entry], int], Sequence[Entry]]] = {"recent": _recent, "uncertain": _uncertain}
