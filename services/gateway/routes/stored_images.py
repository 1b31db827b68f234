"""Calls for stored images: the bytes as they were sent, or a thumbnail."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.answers import BINARY, described
from prequel.services.gateway.http.parameters import ImageId, StreamName, only_known
from prequel.services.gateway.http.problems import Problem, unavailable
from prequel.services.gateway.view.live import Refusal
from prequel.services.gateway.view.thumbnails import Picture, recognised
from prequel.shared.events.erased import is_erased
from prequel.shared.events.images import payload
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import IMAGES, Position

SMALLEST_SIDE, LARGEST_SIDE = 16, 1024
IMAGE_HEADERS = {
    # The browser keeps it and asks whether it is still so: the stream may be deleted, and begin again with this id.
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["images"], dependencies=[Depends(only_known)])

    @router.get(
        "/v1/streams/{stream}/images/{id}",
        response_class=Response,
        responses={200: {"content": {"image/*": BINARY}}, **described(404, 410, 422, 503)},
        summary="Read an image back",
    )
    async def read_image(
        stream: StreamName,
        id: ImageId,
        request: Request,
        size: Annotated[int | None, Query(ge=SMALLEST_SIDE, le=LARGEST_SIDE, description="longest side")] = None,
    ) -> Response:
        """The image as it was sent, or a thumbnail of at most `size` pixels; found once its prediction is there."""
        position = await _position(gateway, stream, id)
        etag = f'"{position}-{size or 0}"'
        headers = {**IMAGE_HEADERS, "ETag": etag}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        picture = gateway.thumbnails.kept(str(position), size or 0)
        if picture is None:
            picture = await gateway.thumbnails.run(lambda: _picture(gateway, position, size))
        return Response(picture.data, headers=headers, media_type=picture.content_type)

    return router


async def _position(gateway: Gateway, stream: str, id: str) -> Position:
    """Where the image stands in the log."""
    found = await gateway.live.prediction(stream, id)
    if found is None and not gateway.live.current:
        raise unavailable("the gateway is still reading the newest predictions")
    if isinstance(found, Refusal):
        return found.origin
    if found is None:
        raise Problem(
            404, f"no image {id} of stream {stream} is known: it is found once it has a prediction, while that is kept"
        )
    return Position.parse(found.json()["image"])


def _picture(gateway: Gateway, position: Position, size: int | None) -> Picture:
    """Blocks. Raises Problem, LogUnavailable."""
    record = gateway.log.read(IMAGES, position.partition, [position.offset]).get(position.offset)
    if record is None or is_erased(record):
        raise Problem(410, f"the image at {position} is no longer in the log: retention or a deletion has removed it")
    data = payload(record)
    if size is None:
        return Picture(data, recognised(data))
    try:
        return gateway.thumbnails.make(str(position), data, size)
    except Rejected as error:
        detail = f"no thumbnail can be made: {error.detail}; without size the bytes come as they are"
        raise Problem(422, detail) from None
