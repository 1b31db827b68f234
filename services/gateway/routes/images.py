"""The call that sends images."""

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from prequel.services.gateway.append_queue import may_arrive
from prequel.services.gateway.gateway import SOURCE, Gateway
from prequel.services.gateway.http.answers import BINARY, Accepted, Predicted, described, json_answer, refused
from prequel.services.gateway.http.parameters import GivenId, GivenLabel, StreamName, Wait, only_known
from prequel.services.gateway.http.problems import invalid, unavailable
from prequel.services.gateway.http.uploads import Upload, read_uploads
from prequel.services.gateway.view.firsts import Given
from prequel.services.gateway.view.live import Refusal
from prequel.shared.events.images import encode_image
from prequel.shared.events.names import valid_id
from prequel.shared.log.base import LogUnavailable, Position, RecordTooLarge

BODY = {
    "required": True,
    "content": {
        "image/*": BINARY,
        "application/cloudevents+json": {"schema": {"type": "object", "required": ["data_base64"]}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "array", "items": BINARY["schema"]},
                    "id": {"type": "array", "items": {"type": "string"}},
                    "label": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["file"],
            }
        },
    },
}


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["images"], dependencies=[Depends(only_known)])

    @router.post(
        "/v1/streams/{stream}/images",
        status_code=202,
        response_model=Accepted | list[Accepted],
        responses={200: {"model": Predicted | list[Predicted]}, **described(409, 413, 415, 422, 503)},
        openapi_extra={"requestBody": BODY},
        summary="Send images",
    )
    async def send_images(
        request: Request, stream: StreamName, label: GivenLabel = None, wait: Wait = 0, id: GivenId = None
    ) -> Response:
        """The answer is 202 once the images are durable; with `wait`, 200 and the predictions once they are there.

        Several images of one form get a list; with an Idempotency-Key `k` they have the ids `k.1`, `k.2`, ...
        A form may hold `id` and `label` once for each file, in the order of the files (an empty label is none).
        An id that is known already counts once: the same bytes again, with the same label or none, change nothing and
        get the same answer; other bytes, or another label, get 409, and nothing of the request is taken.
        An image may be a CloudEvent, in binary mode (`ce-id`, `ce-label`, ...) or structured: attributes that are not
        known here travel with it to its prediction and outcome.
        """
        if not gateway.live.view.knows(stream):  # Else it exists, and the store need not be asked.
            await gateway.room.check(stream)
        uploads = await read_uploads(request, gateway.settings.max_image_bytes)
        ids = [upload.id or each for upload, each in zip(uploads, _ids(gateway, id, len(uploads)), strict=True)]
        uploads = [each._replace(label=(label if each.label is None else each.label) or None) for each in uploads]
        given = [] if id is None and uploads[0].id is None else _given(ids, uploads)
        await gateway.firsts.admit(stream, given)
        positions = await _append(gateway, stream, uploads, ids)
        answers: list[dict[str, Any]] = [
            {"id": each, "stream": stream, "position": str(position)}
            for each, position in zip(ids, positions, strict=True)
        ]
        done = wait > 0 and await _predictions(gateway, stream, answers, positions, wait)
        return json_answer(answers if len(answers) > 1 else answers[0], 200 if done else 202)

    return router


def _ids(gateway: Gateway, given: str | None, count: int) -> list[str]:
    if given is None:
        return [gateway.new_id() for _ in range(count)]
    ids = [given] if count == 1 else [f"{given}.{number}" for number in range(1, count + 1)]
    if not valid_id(ids[-1]):
        raise invalid("Idempotency-Key", f"is too long for {count} images, which get it with .1, .2, ... behind")
    return ids


def _given(ids: Sequence[str], uploads: Sequence[Upload]) -> list[Given]:
    """Images whose ids their sender chose: any others are new by construction."""
    fields = [f"id {number}" for number in range(1, len(ids) + 1)] if uploads[0].id else ["Idempotency-Key"] * len(ids)
    triples = zip(fields, ids, uploads, strict=True)
    return [Given(field, id, upload.data, upload.label) for field, id, upload in triples]


async def _append(gateway: Gateway, stream: str, uploads: Sequence[Upload], ids: Sequence[str]) -> list[Position]:
    now = gateway.clock()
    messages = [
        encode_image(
            id,
            stream,
            upload.data,
            label=upload.label,
            time=now,
            source=upload.attributes.get("source", SOURCE),
            content_type=upload.content_type,
            attributes=upload.attributes,
        )
        for id, upload in zip(ids, uploads, strict=True)
    ]
    gateway.known.accepted(stream)  # Before: where the log does not confirm them they may be in it all the same.
    try:
        return await gateway.images.append(messages)
    except RecordTooLarge:
        gateway.firsts.forget(stream, ids)
        raise
    except LogUnavailable as error:
        raise unavailable(
            f"the log did not confirm it: {error}; send it again, with Idempotency-Key to count once",
            {"ids": list(ids), "may_arrive": may_arrive(error)},
        ) from error


async def _predictions(
    gateway: Gateway, stream: str, answers: Sequence[dict[str, Any]], positions: Sequence[Position], wait: float
) -> bool:
    """Put each prediction into its answer as far as they come in time; whether all did.

    Raises Problem where the only image was refused; among several a refusal is told in its place.
    """
    pairs = zip(answers, positions, strict=True)
    found = await asyncio.gather(*(gateway.live.prediction(stream, a["id"], wait, at) for a, at in pairs))
    for answer, each in zip(answers, found, strict=True):
        if isinstance(each, Refusal):
            if len(answers) == 1:
                raise refused(each, answer["position"])
            answer["refused"] = {"reason": each.reason, "detail": each.detail}
        elif each:
            answer["prediction"] = each.json()
    return all(found)
