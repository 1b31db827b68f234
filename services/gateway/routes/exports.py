"""The call that exports a stream: its labels, predictions, features or images, as far as the log reaches."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from prequel.services.gateway.exports import Export
from prequel.services.gateway.gateway import CurrentGateway
from prequel.services.gateway.http.answers import problem_responses
from prequel.services.gateway.http.parameters import StreamName, refuse_unknown_parameters
from prequel.services.gateway.http.problems import Problem, invalid, unavailable
from prequel.services.gateway.http.schemas import BINARY
from prequel.shared.exports import FORMATS, MEDIA_TYPES, ExportFailed, ExportRequest, Format, What

logger = logging.getLogger(__name__)

router = APIRouter(tags=["exports"], dependencies=[Depends(refuse_unknown_parameters)])

Whats = Annotated[What, Query(description="what to export")]
Formats = Annotated[Format | None, Query(description="as what; without it, the first that goes with `what`")]


@router.get(
    "/v1/streams/{stream}/export",
    response_class=Response,
    responses={
        200: {"content": {"*/*": BINARY}},
        **problem_responses(404, 409, 422, 501, 503),
    },
    summary="Export a stream",
)
async def export_stream(gateway: CurrentGateway, stream: StreamName, what: Whats, format: Formats = None) -> Response:
    """All that the stream has learned from, as far as the log reaches, with the labels and class names of now.

    `labels` and `predictions` go as csv, ndjson or parquet, `features` as parquet, csv or ndjson, `images` as zip or
    tar. The answer comes in pieces while it is made, so it has no length; one that breaks off is not whole. The headers
    `Prequel-Examples` and `Prequel-Labelled` say how many the stream has, and `Prequel-Complete: false` that retention
    has removed some of them from the log. Two exports run at one time; one whose
    client takes nothing for a minute is ended.
    """
    request = ExportRequest(stream=stream, what=what, format=_chosen(what, format))
    if await gateway.statuses.get(stream, None) is None:
        raise await gateway.known_streams.not_found(stream)
    try:
        return ExportResponse(await gateway.exports.open(request))
    except ExportFailed as error:
        if error.status == 503:
            raise unavailable(error.detail) from None
        raise Problem(error.status, error.detail) from None


def _chosen(what: What, format: Format | None) -> Format:
    allowed = FORMATS[what]
    if format is not None and format not in allowed:
        raise invalid("format", f"{what} can be exported as {' or '.join(allowed)}, not as {format}")
    return format or allowed[0]


class ExportResponse(StreamingResponse):
    """The bytes of an export, which ends with the request, however that ends."""

    def __init__(self, export: Export) -> None:
        request, head = export.request, export.head
        headers = {
            "Content-Disposition": f'attachment; filename="{request.stream}-{request.what}.{request.format}"',
            "Cache-Control": "no-store",
            "Prequel-Position": head.position,
            "Prequel-Examples": str(head.examples),
            "Prequel-Labelled": str(head.labelled),
            "Prequel-Complete": str(head.complete).lower(),
        }
        super().__init__(export.pieces(), headers=headers, media_type=MEDIA_TYPES[request.format])
        self._export = export

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._export.close()

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with self._export.taken_in_time():
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except ExportFailed as error:
            # The status is sent already: that the body does not end is what tells the client that it is not whole.
            logger.warning("the export of %s of %s broke off: %s", *self._what(), error)

    def _what(self) -> tuple[str, str]:
        return self._export.request.what, self._export.request.stream
