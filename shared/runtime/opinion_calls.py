"""The queries for opinions and near examples, as the operations server answers them to gateways in other processes."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from prequel.shared.events.names import ID_PATTERN, STREAM_PATTERN
from prequel.shared.log.base import LogUnavailable
from prequel.shared.opinions import MAX_LISTED, PLACE, QueueRequest, UnknownExample
from prequel.shared.queries import Queries, UnknownStream
from prequel.shared.runtime.http_server import Reply, RequestError

Call = TypeVar("Call", bound=BaseModel)
Stream = Annotated[str, Field(pattern=f"^{STREAM_PATTERN}$")]


class QueueCall(BaseModel):
    """The body of ``POST /queue``."""

    stream: Stream
    request: QueueRequest


class SimilarCall(BaseModel):
    """The body of ``POST /similar``."""

    stream: Stream
    id: Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)]
    position: Annotated[str | None, Field(pattern=PLACE)] = None


def answer_queue(queries: Queries, body: bytes) -> Reply:
    """404 where the stream is unknown, 503 where the log cannot be read."""
    call = _parsed(QueueCall, body)
    return _answered(call.stream, lambda: queries.queue(call.stream, call.request))


def answer_similar(queries: Queries, body: bytes) -> Reply:
    """The same, and 410 where the stream has no such example any more."""
    call = _parsed(SimilarCall, body)
    return _answered(call.stream, lambda: queries.similar(call.stream, call.id, call.limit, call.position))


def _parsed(call: type[Call], body: bytes) -> Call:
    try:
        return call.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _answered(stream: str, answer: Callable[[], BaseModel]) -> Reply:
    try:
        return Reply(200, answer().model_dump_json().encode())
    except UnknownStream:
        raise RequestError(404, f"no stream {stream} here") from None
    except UnknownExample as error:
        raise RequestError(410, str(error)) from None
    except LogUnavailable as error:
        raise RequestError(503, str(error)) from None
