"""Calls for what to look at next by the models as they are now, and for the nearest labelled examples of an image."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from prequel.services.gateway.gateway import CurrentGateway, Gateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.parameters import ImageId, NormalizedLabel, StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.problems import Problem, invalid
from prequel.services.gateway.routes.learner_answers import learner_answer
from prequel.services.gateway.routes.predictions import OfSample
from prequel.shared.opinions import (
    MAX_LISTED,
    PLACE,
    By,
    ExampleQueue,
    QueuedExample,
    QueueRequest,
    SimilarExample,
    SimilarExamples,
    UnknownExample,
)

DEFAULT_SIMILAR = 12
"""As many as fit below an image at a glance."""

OrderBy = Annotated[
    By,
    Query(
        description="the images without a label: `uncertain`, least certain first; `disagreement`, those that models "
        "call differently; `random`, the random sample first. Or those with one: `suspect`, the champion would call "
        "them otherwise if it had not learned them"
    ),
]
PredictedNow = Annotated[
    str | None,
    NormalizedLabel,
    Query(max_length=128, description="only those that the champion calls so now; empty: as nothing"),
]
SuspectTruth = Annotated[
    str | None, NormalizedLabel, Query(max_length=128, description="only suspects with this label")
]
Limit = Annotated[int, Query(ge=1, le=MAX_LISTED, description="how many at most")]
After = Annotated[str | None, Query(pattern=PLACE, description="`next` of the page before")]

router = APIRouter(tags=["predictions"], dependencies=[Depends(refuse_unknown_parameters)])


@router.get(
    "/v1/streams/{stream}/queue",
    response_model=ExampleQueue,
    responses=problem_responses(404, 422, 503),
    summary="What to look at next",
)
async def read_queue(
    *,
    gateway: CurrentGateway,
    stream: StreamName,
    by: OrderBy,
    predicted: PredictedNow = None,
    truth: SuspectTruth = None,
    sample: OfSample = None,
    limit: Limit = 50,
    after: After = None,
) -> Response:
    """Images of the window, by what the models say of them as they are now; nearly equal ones are folded together.

    No score changes: what counts is the prediction of the time, which stands beside the opinion. It is made again after
    each label. `not_asked` says how many images the models could not be asked about: features that are not in memory
    are read from the log a few thousand at a time.
    """
    if truth is not None and by != "suspect":
        raise invalid("truth", "only suspects have one: leave it out, or ask by=suspect")
    request = QueueRequest(by=by, predicted=predicted, truth=truth, sample=sample, limit=limit, after=after)
    queue = await learner_answer(
        gateway, stream, gateway.query_calls.run(lambda: gateway.queries.queue(stream, request))
    )
    queue = _without_forgotten(gateway, queue)
    _add_images(gateway, stream, queue.examples)
    return json_answer(queue.model_dump())


@router.get(
    "/v1/streams/{stream}/similar/{id}",
    response_model=SimilarExamples,
    responses=problem_responses(404, 422, 503),
    summary="The nearest labelled images",
)
async def read_similar(
    gateway: CurrentGateway, stream: StreamName, id: ImageId, limit: Limit = DEFAULT_SIMILAR
) -> Response:
    """The labelled images of the window that are nearest to an image, with who labelled them and when.

    By the distance between features, in which a model sees them. It says nothing of what a model has learned, but often
    why it says what it says.
    """
    forgotten = gateway.live.gallery.is_forgotten
    if forgotten(stream, id):
        raise Problem(404, f"image {id} cannot be compared: there is no such image")
    row = gateway.live.gallery.get(stream, id)
    position = str(row.position) if row else None
    try:
        similar = await learner_answer(
            gateway, stream, gateway.query_calls.run(lambda: gateway.queries.similar(stream, id, limit, position))
        )
    except UnknownExample as error:
        raise Problem(404, f"image {id} cannot be compared: {error}") from None
    similar.examples = [example for example in similar.examples if not forgotten(stream, example.id)]
    _add_images(gateway, stream, similar.examples)
    return json_answer(similar.model_dump())


def _add_images(gateway: Gateway, stream: str, examples: Sequence[QueuedExample | SimilarExample]) -> None:
    for example in examples:
        row = gateway.live.gallery.get(stream, example.id)
        image = row.image() if row else None
        example.image = None if image is None else str(image)


def _without_forgotten(gateway: Gateway, queue: ExampleQueue) -> ExampleQueue:
    """Without images that are to be forgotten, which the learner still has until it has caught up."""
    forgotten = gateway.live.gallery.is_forgotten
    queue.examples = [example for example in queue.examples if not forgotten(queue.stream, example.id)]
    for example in queue.examples:
        example.duplicates = [id for id in example.duplicates if not forgotten(queue.stream, id)]
    return queue
