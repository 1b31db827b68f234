"""Calls for predictions: one by its image, and the gallery's list."""

import asyncio
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Response

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.answers import PredictionAnswer, PredictionList, described, json_answer
from prequel.services.gateway.http.parameters import POSITION, ImageId, OneSpelling, StreamName, Wait, only_known
from prequel.services.gateway.http.problems import Problem, invalid, unavailable
from prequel.services.gateway.view.live import Refusal
from prequel.services.gateway.view.predictions import Entry
from prequel.shared.log.base import Position

MOST_LISTED = 1_000

Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="how many at most")]
Sort = Annotated[Literal["recent", "uncertain"], Query(description="newest first, or least certain first")]
PredictedAs = Annotated[
    str | None, OneSpelling, Query(max_length=128, description="only those predicted as this; empty: as nothing")
]
TrulyOf = Annotated[
    str | None, OneSpelling, Query(max_length=128, description="only those truly of this; empty: not labelled")
]
OfModel = Annotated[
    str | None,
    Query(
        max_length=200,
        description="whose `predicted` and `wrong` are meant; empty: the champion's, which `sort` is always by",
    ),
]
Wrong = Annotated[bool | None, Query(description="only those predicted wrongly (false: rightly)")]
Before = Annotated[str | None, Query(pattern=POSITION, description="only older ones: `next` of the answer before")]


class Wanted(NamedTuple):
    """Which predictions a list is to hold; None: any."""

    predicted: str | None
    truth: str | None
    wrong: bool | None
    before: Position | None
    model: str | None

    def fits(self, entry: Entry) -> bool:
        """What costs least comes first: only with ``model`` is an entry's JSON looked into."""
        return (
            (self.truth is None or self.truth == (entry.truth or ""))
            and (self.before is None or entry.position < self.before)
            and self._predicted(entry)
        )

    def _predicted(self, entry: Entry) -> bool:
        """Who abstains is neither right nor wrong; a model that was not there yet has predicted nothing at all."""
        label = entry.label
        if self.model:
            models = entry.models()
            if self.model not in models:
                return False
            label = models[self.model]
        if self.predicted is not None and self.predicted != (label or ""):
            return False
        return self.wrong is None or (None not in (entry.truth, label) and (entry.truth != label) is self.wrong)


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
        model: OfModel = None,
        limit: Limit = 50,
        before: Before = None,
    ) -> Response:
        """Among the newest that are kept. A stream nobody has sent anything to has none.

        With `model`, `predicted` and `wrong` ask for a challenger's own predictions, as its confusion matrix has them.
        """
        if not gateway.live.current:
            raise unavailable("the gateway is still reading the newest predictions")
        wanted = Wanted(predicted, truth, wrong, Position.parse(before) if before else None, model)
        entries = gateway.live.view.newest(stream)
        select = _SELECT[sort]
        chosen = await asyncio.to_thread(select, filter(wanted.fits, entries), limit)
        if model and entries and not chosen:
            _must_be_one_of(entries[0].models(), model)
        following = str(chosen[-1].position) if sort == "recent" and len(chosen) == limit else None
        return json_answer({"predictions": [each.json() for each in chosen], "next": following})

    return router


def _must_be_one_of(models: Mapping[str, str | None], model: str) -> None:
    """Raises Problem where a name is none of the newest prediction's models: a misspelt one would find nothing."""
    if model not in models:
        raise invalid("model", f"no model {model!r} in this stream; there are {', '.join(models)}")


def _recent(entries: Iterator[Entry], limit: int) -> list[Entry]:
    return list(islice(entries, limit))


def _uncertain(entries: Iterator[Entry], limit: int) -> list[Entry]:
    """Smallest margin first; of equal ones the newest."""
    return heapq.nsmallest(limit, entries, key=lambda entry: entry.margin)


_SELECT: dict[str, Callable[[Iterator[Entry], int], Sequence[Entry]]] = {"recent": _recent, "uncertain": _uncertain}
