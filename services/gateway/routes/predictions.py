"""Calls for predictions: one by its image, and the gallery's list."""

import asyncio
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Response

from prequel.services.gateway.gateway import CurrentGateway, Gateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.parameters import (
    MAX_MODEL,
    POSITION,
    ImageId,
    NormalizedLabel,
    StreamName,
    Wait,
    refuse_unknown_parameters,
)
from prequel.services.gateway.http.problems import Problem, invalid, unavailable
from prequel.services.gateway.http.schemas import PredictionAnswer, PredictionList
from prequel.services.gateway.view.dead_letters import DeadLetter
from prequel.services.gateway.view.gallery import GalleryRow
from prequel.shared.log.base import Position
from prequel.shared.random_sample import is_sampled, sample_digest
from prequel.shared.store.base import StoreUnavailable

MAX_LISTED = 1_000
"""Rows in one answer, some megabyte of JSON; more are read page by page."""
Limit = Annotated[int, Query(ge=1, le=MAX_LISTED, description="how many at most")]
Sort = Annotated[
    Literal["recent", "uncertain", "random"],
    Query(
        description="newest first, least certain first, or in a random order, which stays the same from call to call: "
        "with an empty `truth`, the images to label for a random sample"
    ),
]
PredictedAs = Annotated[
    str | None, NormalizedLabel, Query(max_length=128, description="only those predicted as this; empty: as nothing")
]
WithTruth = Annotated[
    str | None, NormalizedLabel, Query(max_length=128, description="only those with this truth; empty: without a label")
]
OfModel = Annotated[
    str | None,
    Query(
        max_length=MAX_MODEL,
        description="the model that `predicted` and `wrong` refer to; empty: the champion. `sort` is always by the "
        "champion's margin",
    ),
]
Wrong = Annotated[bool | None, Query(description="only those predicted wrongly (false: rightly)")]
OfSample = Annotated[
    bool | None,
    Query(
        description="only images of the random sample (false: only others): one in five, whatever was predicted of it. "
        "Whoever labels both a sample and uncertain images takes the latter from the others"
    ),
]
Before = Annotated[str | None, Query(pattern=POSITION, description="only older ones: `next` of the page before")]

router = APIRouter(tags=["predictions"], dependencies=[Depends(refuse_unknown_parameters)])


class PredictionFilter(NamedTuple):
    """Which predictions a list is to contain; None: any."""

    predicted: str | None
    truth: str | None
    wrong: bool | None
    before: Position | None
    model: str | None
    sample: bool | None

    def matches(self, row: GalleryRow) -> bool:
        """The cheapest check comes first: with ``model``, the last one parses the row's JSON."""
        return (
            (self.truth is None or self.truth == (row.truth or ""))
            and (self.before is None or row.position < self.before)
            and (self.sample is None or is_of_sample(row) is self.sample)
            and self._matches_prediction(row)
        )

    def _matches_prediction(self, row: GalleryRow) -> bool:
        """A model that abstains is neither right nor wrong; one that did not exist yet has predicted nothing."""
        label = row.label
        if self.model:
            models = row.models()
            if self.model not in models:
                return False
            label = models[self.model]
        if self.predicted is not None and self.predicted != (label or ""):
            return False
        return self.wrong is None or (None not in (row.truth, label) and (row.truth != label) is self.wrong)


@router.get(
    "/v1/streams/{stream}/predictions/{id}",
    response_model=PredictionAnswer,
    responses=problem_responses(404, 422, 503),
    summary="One prediction",
)
async def read_prediction(gateway: CurrentGateway, stream: StreamName, id: ImageId, wait: Wait = 0) -> Response:
    """The prediction of an image, with its present truth; with `wait`, as soon as it is there."""
    result = await gateway.live.prediction(stream, id, wait=wait)
    if result is None and not gateway.live.current:
        raise unavailable("the gateway is still reading the newest predictions")
    if isinstance(result, DeadLetter):
        detail = f"image {id} has no prediction: {result.reason}: {result.detail}"
        raise Problem(404, detail, more={"reason": result.reason})
    if result is None:
        raise Problem(
            404,
            f"there is no prediction of image {id} in stream {stream}: not made yet (ask with wait), or too old to be "
            "in memory (PREQUEL_VIEW_PREDICTIONS)",
        )
    return json_answer(result.renamed(await _names(gateway, stream)).json())


@router.get(
    "/v1/streams/{stream}/predictions",
    response_model=PredictionList,
    responses=problem_responses(422, 503),
    summary="Many predictions",
)
async def list_predictions(
    *,
    gateway: CurrentGateway,
    stream: StreamName,
    sort: Sort = "recent",
    predicted: PredictedAs = None,
    truth: WithTruth = None,
    wrong: Wrong = None,
    model: OfModel = None,
    sample: OfSample = None,
    limit: Limit = 50,
    before: Before = None,
) -> Response:
    """Among the newest in memory. A stream that does not exist has none.

    With `model`, `predicted` and `wrong` refer to a challenger's own predictions, as its confusion matrix does.
    """
    if not gateway.live.current:
        raise unavailable("the gateway is still reading the newest predictions")
    condition = PredictionFilter(predicted, truth, wrong, Position.parse(before) if before else None, model, sample)
    names, rows = await _names(gateway, stream), gateway.live.gallery.newest(stream)
    renamed = (row.renamed(names) for row in rows)
    # On another thread: with ``model`` it parses up to 20,000 rows, and a sort reads them all.
    selected = await asyncio.to_thread(_SELECT[sort], filter(condition.matches, renamed), limit)
    if model and rows and not selected:
        _require_model(rows[0], model)
    has_more = sort == "recent" and len(selected) == limit
    following = str(selected[-1].position) if has_more else None
    return json_answer({"predictions": [row.json() for row in selected], "next": following})


async def _names(gateway: Gateway, stream: str) -> Mapping[str, str]:
    """What classes of the stream are called now, by former names; none while that cannot be known.

    Does not wait for a status: whoever waits for a prediction must not wait for the next one of those, too.
    """
    try:
        status = await gateway.statuses.newest(stream)
    except StoreUnavailable:
        return {}
    return status.renamed if status else {}


def _require_model(row: GalleryRow, model: str) -> None:
    """Raises Problem if the newest prediction has no such model: a misspelt name would just find nothing."""
    models = row.models()
    if model not in models:
        raise invalid("model", f"this stream has no model {model[:100]!r}; it has {', '.join(models)}")


def _recent(rows: Iterator[GalleryRow], limit: int) -> list[GalleryRow]:
    return list(islice(rows, limit))


def least_certain(rows: Iterator[GalleryRow], limit: int) -> list[GalleryRow]:
    """Smallest margin first; among equal ones the newest."""
    return heapq.nsmallest(limit, rows, key=lambda row: row.margin)


def in_random_order(rows: Iterator[GalleryRow], limit: int) -> list[GalleryRow]:
    """By a digest of the position: every image is as likely as any other to come first, whatever was predicted."""
    return heapq.nsmallest(limit, rows, key=_digest)


def is_of_sample(row: GalleryRow) -> bool:
    """Whether an image is of the random sample."""
    return is_sampled(_digest(row))


def _digest(row: GalleryRow) -> bytes:
    return sample_digest(str(row.position))


_SELECT: dict[str, Callable[[Iterator[GalleryRow], int], Sequence[GalleryRow]]] = {
    "recent": _recent,
    "uncertain": least_certain,
    "random": in_random_order,
}
