"""The call that sends images."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, Request, Response

from prequel.services.gateway.append_queue import may_have_been_appended
from prequel.services.gateway.gateway import SOURCE, CurrentGateway, Gateway
from prequel.services.gateway.http.answers import problem_responses
from prequel.services.gateway.http.ids import chosen_ids
from prequel.services.gateway.http.parameters import (
    IdempotencyKey,
    LabelParameter,
    StreamName,
    Wait,
    refuse_unknown_parameters,
)
from prequel.services.gateway.http.problems import unavailable
from prequel.services.gateway.http.schemas import BINARY, Accepted, AcceptedWithPrediction
from prequel.services.gateway.http.uploads import Upload, read_uploads
from prequel.services.gateway.routes.accepted import Appended, accepted_answer
from prequel.services.gateway.view.image_ids import ImageWithId
from prequel.shared.events.images import encode_image
from prequel.shared.images.encryption import EncryptedImage
from prequel.shared.log.base import IMAGES, LogUnavailable, Position, RecordTooLarge
from prequel.shared.store.base import StoreUnavailable

_TEXTS = {"type": "array", "items": {"type": "string"}}
BODY = {
    "required": True,
    "content": {
        # The first is what /docs offers to try: a Content-Type of its own, since image/* is only a pattern.
        "image/jpeg": BINARY,
        "image/png": BINARY,
        "image/*": BINARY,
        "application/cloudevents+json": {"schema": {"type": "object", "required": ["data_base64"]}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": {"type": "array", "items": BINARY["schema"]}, "id": _TEXTS, "label": _TEXTS},
                "required": ["file"],
            }
        },
    },
}

router = APIRouter(tags=["images"], dependencies=[Depends(refuse_unknown_parameters)])


@router.post(
    "/v1/streams/{stream}/images",
    status_code=202,
    response_model=Accepted | list[Accepted],
    responses={
        200: {"model": AcceptedWithPrediction | list[AcceptedWithPrediction]},
        **problem_responses(409, 413, 415, 422, 503),
    },
    openapi_extra={"requestBody": BODY},
    summary="Send images",
)
async def send_images(
    *,
    gateway: CurrentGateway,
    request: Request,
    stream: StreamName,
    label: LabelParameter = None,
    wait: Wait = 0,
    id: IdempotencyKey = None,
) -> Response:
    """The answer is 202 once the images are durable; with `wait`, 200 and the predictions once they are there.

    Several images of one form get a list; with an Idempotency-Key `k` they have the ids `k.1`, `k.2`, ...
    A form may hold `id` and `label` once for each file, in the order of the files (an empty label is none).
    An id that exists counts once: the same bytes again, with the same label or none, change nothing and get the same
    answer; with other bytes, or another label, the whole request gets 409 and changes nothing. So do images for a
    stream that learns from features of your own, which no backbone makes.
    An image may be a CloudEvent, in binary mode (`ce-id`, `ce-label`, ...) or structured: attributes that are not
    Prequel's own are copied to its prediction and outcome.
    """
    if not gateway.live.gallery.has_predictions(stream):  # else it exists, and the store need not be asked
        await gateway.capacity.require_room(stream)
    await gateway.stream_features.require_images(stream)
    uploads = await read_uploads(request, gateway.settings.max_image_bytes)
    ids = chosen_ids([upload.id for upload in uploads], id, gateway.new_id)
    uploads = _with_labels(uploads, label)
    if id is not None or uploads[0].id is not None:  # ids that the gateway made are new
        await gateway.image_ids.admit(stream, _images_with_ids(ids, uploads))
    positions = await _append(gateway, stream, uploads, ids)
    accepted = [Appended(id, IMAGES, at) for id, at in zip(ids, positions, strict=True)]
    return await accepted_answer(gateway, stream, accepted, wait, several=len(accepted) > 1)


def _with_labels(uploads: Sequence[Upload], label: str | None) -> list[Upload]:
    """The request's label for each image that has none of its own; an empty label is none."""
    return [upload._replace(label=(label if upload.label is None else upload.label) or None) for upload in uploads]


def _images_with_ids(ids: Sequence[str], uploads: Sequence[Upload]) -> list[ImageWithId]:
    fields = [f"id {number}" for number in range(1, len(ids) + 1)] if uploads[0].id else ["Idempotency-Key"] * len(ids)
    triples = zip(fields, ids, uploads, strict=True)
    return [ImageWithId(field, id, upload.data, upload.label) for field, id, upload in triples]


async def _append(gateway: Gateway, stream: str, uploads: Sequence[Upload], ids: Sequence[str]) -> list[Position]:
    now = gateway.clock()
    encrypted = await _encrypt(gateway, stream, uploads, ids)
    messages = [
        encode_image(
            id,
            stream,
            image.data,
            label=upload.label,
            time=now,
            source=upload.attributes.get("source", SOURCE),
            content_type=upload.content_type,
            attributes=upload.attributes,
            key_id=image.key_id,
        )
        for id, upload, image in zip(ids, uploads, encrypted, strict=True)
    ]
    # Before the append: if the log does not confirm the images, they may be in it all the same.
    gateway.known_streams.add(stream)
    try:
        return await gateway.image_queue.append(messages)
    except RecordTooLarge:
        gateway.image_ids.forget(stream, ids)  # certain not to be in the log; after LogUnavailable they may be
        raise
    except LogUnavailable as error:
        raise unavailable(
            f"the log did not confirm the images: {error}; send them again, with an Idempotency-Key to count once",
            {"ids": list(ids), "may_arrive": may_have_been_appended(error)},
        ) from error


async def _encrypt(
    gateway: Gateway, stream: str, uploads: Sequence[Upload], ids: Sequence[str]
) -> list[EncryptedImage]:
    try:
        return await gateway.encryption.encrypt(
            stream, [(id, upload.data) for id, upload in zip(ids, uploads, strict=True)]
        )
    except StoreUnavailable as error:
        gateway.image_ids.forget(stream, ids)  # certain not to be in the log
        raise unavailable(
            f"the store, which keeps the images' keys, cannot be reached: {error}; nothing was stored, send it again"
        ) from error
