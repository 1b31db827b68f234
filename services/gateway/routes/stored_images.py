"""The call that reads a stored image back: its bytes as they were sent, or a thumbnail."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from prequel.services.gateway.gateway import CurrentGateway, Gateway
from prequel.services.gateway.http.answers import problem_responses
from prequel.services.gateway.http.parameters import ImageId, StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.problems import Problem, unavailable
from prequel.services.gateway.http.schemas import BINARY
from prequel.services.gateway.view.dead_letters import DeadLetter
from prequel.services.gateway.view.thumbnails import sniffed_media_type
from prequel.shared.events.erased import is_erased
from prequel.shared.events.types import Rejected
from prequel.shared.images.thumbnails import EncodedImage
from prequel.shared.log.base import IMAGES, Position, Record

MIN_SIDE, MAX_SIDE = 16, 1024
"""Pixels. Smaller shows nothing; larger is hardly smaller than the image itself, and slow to make."""
IMAGE_HEADERS = {
    # The browser stores it and asks each time whether it is still valid: the stream may be deleted, and created again
    # with another image under this id.
    "Cache-Control": "private, no-cache",
    # Opened by itself, even an image that is none runs no script in the gateway's origin.
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
Side = Annotated[int | None, Query(ge=MIN_SIDE, le=MAX_SIDE, description="longest side in pixels")]

router = APIRouter(tags=["images"], dependencies=[Depends(refuse_unknown_parameters)])


@router.get(
    "/v1/streams/{stream}/images/{id}",
    response_class=Response,
    responses={200: {"content": {"image/*": BINARY}}, **problem_responses(404, 410, 422, 503)},
    summary="Read an image back",
)
async def read_image(
    *, gateway: CurrentGateway, stream: StreamName, id: ImageId, request: Request, size: Side = None
) -> Response:
    """The image as it was sent, or a thumbnail of at most `size` pixels; found once its prediction is there."""
    position = await _position(gateway, stream, id)
    etag = f'"{position}-{size or 0}"'
    headers = {**IMAGE_HEADERS, "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    image = gateway.thumbnails.cached(str(position), size or 0)
    if image is None:
        image = await gateway.thumbnails.run(lambda: _read(gateway, stream, id, position, size))
    return Response(image.data, headers=headers, media_type=image.content_type)


async def _position(gateway: Gateway, stream: str, id: str) -> Position:
    """Where the image stands in the log."""
    result = await gateway.live.prediction(stream, id)
    if result is None and not gateway.live.current:
        raise unavailable("the gateway is still reading the newest predictions")
    if result is None:
        raise _no_image(id, stream)
    image = _rejected_image(result) if isinstance(result, DeadLetter) else result.image()
    if image is None:
        raise Problem(404, f"example {id} of stream {stream} came as features: it has no image")
    return image


def _rejected_image(dead_letter: DeadLetter) -> Position | None:
    return dead_letter.origin if dead_letter.topic == IMAGES else None


def _no_image(id: str, stream: str) -> Problem:
    return Problem(
        404,
        f"there is no image {id} in stream {stream}: an image is found once it has a prediction, as long as that "
        "is in memory (PREQUEL_VIEW_PREDICTIONS)",
    )


def _read(gateway: Gateway, stream: str, id: str, position: Position, size: int | None) -> EncodedImage:
    """Blocks. Raises Problem, LogUnavailable, StoreUnavailable."""
    record = gateway.log.read(IMAGES, position.partition, [position.offset]).get(position.offset)
    if record is not None and is_erased(record):
        raise _no_image(id, stream)  # Whoever was forgotten must not be told of: a view may know an id a little longer.
    if record is None:
        raise Problem(410, f"the image at {position} is no longer in the log: retention has removed it")
    data = _image_bytes(gateway, record)
    if size is None:
        return EncodedImage(data, sniffed_media_type(data))
    try:
        return gateway.thumbnails.make(str(position), data, size)
    except Rejected as error:
        detail = f"no thumbnail can be made: {error.detail}; without size the call returns the bytes as they are"
        raise Problem(422, detail) from None


def _image_bytes(gateway: Gateway, record: Record) -> bytes:
    try:
        return gateway.cipher.image_bytes(record)
    except Rejected as error:
        raise Problem(410, f"the image cannot be read any more: {error.detail}") from None
