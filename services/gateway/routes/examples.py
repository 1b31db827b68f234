"""The call that sends examples as features, without images: of any backbone, of anything."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from prequel.services.gateway.append_queue import may_have_been_appended
from prequel.services.gateway.gateway import SOURCE, CurrentGateway, Gateway
from prequel.services.gateway.http.answers import problem_responses
from prequel.services.gateway.http.example_bodies import FORM, LINES, SentExample, read_examples
from prequel.services.gateway.http.ids import chosen_ids
from prequel.services.gateway.http.parameters import (
    IdempotencyKey,
    LabelParameter,
    StreamName,
    Wait,
    refuse_unknown_parameters,
)
from prequel.services.gateway.http.problems import Problem, invalid, unavailable
from prequel.services.gateway.http.schemas import BINARY, Accepted, AcceptedWithPrediction
from prequel.services.gateway.routes.accepted import Appended, accepted_answer
from prequel.services.gateway.view.image_ids import ImageWithId
from prequel.services.gateway.view.stream_features import FeatureKind
from prequel.shared.backbone_specs import BACKBONE_RULE, OWN_BACKBONE, valid_backbone
from prequel.shared.events.features import encode_example
from prequel.shared.log.base import EXAMPLES, LogUnavailable, Position, RecordTooLarge
from prequel.shared.vectors import MAX_FEATURES, vector_bytes

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_EXAMPLE = {
    "type": "object",
    "properties": {
        "features": {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": MAX_FEATURES},
        "id": _TEXT,
        "label": {"type": ["string", "null"]},
        "backbone": _TEXT,
    },
    "required": ["features"],
    "additionalProperties": False,
}
BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [_EXAMPLE, {"type": "array", "items": _EXAMPLE}]},
            "example": {"features": [0.5, 1.5], "id": "a", "label": "cat"},
        },
        LINES[0]: BINARY,
        "application/octet-stream": BINARY,
        FORM: {
            "schema": {
                "type": "object",
                "properties": {"file": BINARY["schema"], "id": _TEXTS, "label": _TEXTS},
                "required": ["file"],
            }
        },
    },
}
Dim = Annotated[
    int | None, Query(ge=1, le=MAX_FEATURES, description="of rows of float32: how many values each has; else it is one")
]
BackboneWord = Annotated[
    str | None,
    Query(description=f"what made the features, in a word of your own, unless an example says it; else {OWN_BACKBONE}"),
]

router = APIRouter(tags=["images"], dependencies=[Depends(refuse_unknown_parameters)])


@router.post(
    "/v1/streams/{stream}/examples",
    status_code=202,
    response_model=Accepted | list[Accepted],
    responses={
        200: {"model": AcceptedWithPrediction | list[AcceptedWithPrediction]},
        **problem_responses(409, 413, 415, 422, 503),
    },
    openapi_extra={"requestBody": BODY},
    summary="Send features of your own",
)
async def send_examples(
    *,
    gateway: CurrentGateway,
    request: Request,
    stream: StreamName,
    backbone: BackboneWord = None,
    dim: Dim = None,
    label: LabelParameter = None,
    wait: Wait = 0,
    id: IdempotencyKey = None,
) -> Response:
    """Feature vectors instead of images, of anything: no backbone of Prequel is needed. All else is as for images.

    One example as JSON, or a list; one a line (`application/x-ndjson`); rows of little-endian float32 values as the
    body (`application/octet-stream`), or as the `file` of a form with `id` and `label` once for each row. A list gets a
    list. The first features of a stream decide on their backbone, which is a word of yours, and on their length: others
    get 409. There is no image to read back, and none that `reextract` could extract again.
    """
    if not gateway.live.gallery.has_predictions(stream):  # else it exists, and the store need not be asked
        await gateway.capacity.require_room(stream)
    sent = await read_examples(request, dim)
    examples = [_completed(example, label, backbone) for example in sent.examples]
    ids = chosen_ids([example.id for example in examples], id, gateway.new_id)
    kind = _one_kind(examples)
    is_first = await gateway.stream_features.require(stream, kind, id=ids[0], field=examples[0].field)
    given = [
        ImageWithId(
            f"{example.field}id" if example.id else "Idempotency-Key", own, vector_bytes(example.vector), example.label
        )
        for own, example in zip(ids, examples, strict=True)
        if example.id or id
    ]
    with _forgotten_unless_stored(gateway, stream) if is_first else nullcontext():
        await gateway.image_ids.admit(stream, given)  # Those that the gateway made are new.
        positions = await _append(gateway, stream, examples, ids, kind.backbone)
    appended = [Appended(id, EXAMPLES, at) for id, at in zip(ids, positions, strict=True)]
    return await accepted_answer(gateway, stream, appended, wait, several=sent.several)


@contextmanager
def _forgotten_unless_stored(gateway: Gateway, stream: str) -> Iterator[None]:
    """Where none of the first examples is in the log for certain, the stream takes others. It may be that they arrive
    after a 503: then nothing is forgotten."""
    try:
        yield
    except Exception as error:
        if not (isinstance(error, Problem) and error.more.get("may_arrive")):
            gateway.stream_features.forget(stream)
        raise


def _completed(example: SentExample, label: str | None, backbone: str | None) -> SentExample:
    """With the request's label and backbone where it has none of its own; an empty label is none."""
    if backbone is not None and not valid_backbone(backbone):
        raise invalid("backbone", f"{backbone[:150]!r} is not valid: use {BACKBONE_RULE}")
    own_label = label if example.label is None else example.label
    return example._replace(label=own_label or None, backbone=example.backbone or backbone or OWN_BACKBONE)


def _one_kind(examples: Sequence[SentExample]) -> FeatureKind:
    """That of all examples. Raises Problem 422 for the first that is of another."""
    kinds = [FeatureKind(example.backbone or OWN_BACKBONE, example.vector.size) for example in examples]
    if kinds[0].dim > MAX_FEATURES:
        raise invalid(f"{examples[0].field}features", f"has {kinds[0].dim} values: {MAX_FEATURES} are the most")
    for example, kind in zip(examples, kinds, strict=True):
        if kind.backbone != kinds[0].backbone:
            raise invalid(
                f"{example.field}backbone",
                f"{kind.backbone}, where the first has {kinds[0].backbone}: all need the same",
            )
        if kind.dim != kinds[0].dim:
            raise invalid(
                f"{example.field}features",
                f"has {kind.dim} values, where the first has {kinds[0].dim}: all need as many",
            )
    return kinds[0]


async def _append(
    gateway: Gateway, stream: str, examples: Sequence[SentExample], ids: Sequence[str], backbone: str
) -> list[Position]:
    now = gateway.clock()
    messages = [
        encode_example(id, stream, example.vector, backbone, label=example.label, time=now, source=SOURCE)
        for id, example in zip(ids, examples, strict=True)
    ]
    # Before the append: if the log does not confirm the examples, they may be in it all the same.
    gateway.known_streams.add(stream)
    try:
        return await gateway.example_queue.append(messages)
    except RecordTooLarge:
        gateway.image_ids.forget(stream, ids)  # certain not to be in the log; after LogUnavailable they may be
        raise
    except LogUnavailable as error:
        raise unavailable(
            f"the log did not confirm the examples: {error}; send them again, with ids of your own to count once",
            {"ids": list(ids), "may_arrive": may_have_been_appended(error)},
        ) from error
