"""Queries to learners in other processes, over HTTP, at the address in the stream's status."""

from typing import TypeVar

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from prequel.services.gateway.remote.addresses import AddressReader
from prequel.services.gateway.remote.replies import error_detail
from prequel.shared import status
from prequel.shared.backtests import Backtest, BacktestRequest
from prequel.shared.opinions import ExampleQueue, QueueRequest, SimilarExamples, UnknownExample
from prequel.shared.queries import Answer, ModelCannotLeave, ModelCheck, UnknownStream
from prequel.shared.runtime.backtest_calls import refused
from prequel.shared.runtime.opinion_calls import QueueCall, SimilarCall
from prequel.shared.status import StreamDetail, StreamHistory, StreamStatus
from prequel.shared.vectors import Vector

Body = TypeVar("Body", bound=BaseModel)


class LearnerUnavailable(Exception):
    """The stream's learner cannot be reached now: it restarts, or another takes over. Try again."""


class RemoteLearner:
    """``shared.queries.Queries`` over HTTP. Blocks; raises LearnerUnavailable and StoreUnavailable too."""

    def __init__(self, addresses: AddressReader, client: httpx.Client) -> None:
        self._addresses, self._client = addresses, client

    def answer(self, stream: str, features: Vector) -> Answer:
        body = orjson.dumps({"stream": stream, "features": features}, option=orjson.OPT_SERIALIZE_NUMPY)
        response = self._request(stream, "POST", "/predict", body)
        if response.status_code == 422:
            raise ValueError(error_detail(response))
        return _parsed(Answer, stream, response)

    def detail(self, stream: str) -> StreamDetail:
        return _parsed(StreamDetail, stream, self._request(stream, "GET", f"/detail/{stream}"))

    def history(self, stream: str) -> StreamHistory:
        return _parsed(StreamHistory, stream, self._request(stream, "GET", f"/history/{stream}"))

    def model_problem(self, stream: str, spec: str) -> str:
        response = self._request(stream, "POST", "/model-problem", orjson.dumps({"stream": stream, "model": spec}))
        return _parsed(ModelCheck, stream, response).problem

    def model_file(self, stream: str, spec: str) -> bytes:
        response = self._request(stream, "POST", "/model-file", orjson.dumps({"stream": stream, "model": spec}))
        if response.status_code == 422:
            raise ModelCannotLeave(error_detail(response))
        _require_success(stream, response)
        return response.content

    def start_backtest(self, stream: str, request: BacktestRequest) -> Backtest:
        body = orjson.dumps({"stream": stream, **request.model_dump()})
        response = self._request(stream, "POST", "/backtests/start", body)
        if response.status_code in (409, 422):
            raise refused(response.status_code, error_detail(response))
        return _parsed(Backtest, stream, response)

    def end_backtest(self, stream: str, id: str) -> Backtest | None:
        response = self._request(stream, "POST", "/backtests/end", orjson.dumps({"stream": stream, "id": id}))
        return None if response.content == b"null" else _parsed(Backtest, stream, response)

    def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
        body = QueueCall(stream=stream, request=request).model_dump_json().encode()
        return _parsed(ExampleQueue, stream, self._request(stream, "POST", "/queue", body))

    def similar(self, stream: str, id: str, limit: int, position: str | None = None) -> SimilarExamples:
        body = SimilarCall(stream=stream, id=id, limit=limit, position=position).model_dump_json().encode()
        response = self._request(stream, "POST", "/similar", body)
        if response.status_code == 410:
            raise UnknownExample(error_detail(response))
        return _parsed(SimilarExamples, stream, response)

    def _request(self, stream: str, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        """Raises UnknownStream where the learner answers 404: the stream was deleted, or another learner has it now."""
        address = self._address(stream)
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            response = self._client.request(method, f"http://{address}{path}", content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise LearnerUnavailable(f"the learner of {stream} at {address} cannot be reached: {error}") from error
        if response.status_code == 404:
            raise UnknownStream(stream)
        return response

    def _address(self, stream: str) -> str:
        raw = self._addresses.get(status.key(stream))
        if raw is None:
            raise UnknownStream(stream)
        try:
            address = StreamStatus.model_validate_json(raw).address
        except ValidationError as error:
            raise LearnerUnavailable(
                f"the status of stream {stream} in the store cannot be read ({error}): "
                "run the same version of Prequel for learner and gateway"
            ) from error
        if not address:
            raise LearnerUnavailable(f"the learner of {stream} publishes no address: set its PREQUEL_ADVERTISE")
        return address


def _require_success(stream: str, response: httpx.Response) -> None:
    if response.status_code != 200:
        raise LearnerUnavailable(f"the learner of {stream} answered {response.status_code}: {error_detail(response)}")


def _parsed(model: type[Body], stream: str, response: httpx.Response) -> Body:
    _require_success(stream, response)
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise LearnerUnavailable(
            f"the answer of the learner of {stream} cannot be read ({error}): run the same version for both"
        ) from error
