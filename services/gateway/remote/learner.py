"""Queries to learners in other processes, over HTTP, at the address that the stream's status names."""

from typing import Protocol

import httpx
import orjson
from pydantic import ValidationError

from prequel.shared import status
from prequel.shared.queries import Answer, UnknownStream
from prequel.shared.runtime.deadlines import LEARNER_CONNECT_S, LEARNER_READ_S
from prequel.shared.status import StreamDetail, StreamStatus
from prequel.shared.vectors import Vector

TIMEOUT = httpx.Timeout(LEARNER_READ_S, connect=LEARNER_CONNECT_S)


class LearnerUnavailable(Exception):
    """The stream's learner cannot be reached now: it restarts, or another takes over. Try again."""


class Addresses(Protocol):
    """Of the store, what is asked for here. Blocks; raises StoreUnavailable."""

    def get(self, key: str) -> bytes | None: ...


class RemoteLearner:
    """shared.queries.Queries over HTTP. Blocks; raises LearnerUnavailable and StoreUnavailable besides."""

    def __init__(self, store: Addresses, client: httpx.Client) -> None:
        self._store, self._client = store, client

    def answer(self, stream: str, features: Vector) -> Answer:
        response = self._ask(self._address(stream), stream, features)
        if response.status_code == 404:
            raise UnknownStream(stream)
        if response.status_code == 422:
            raise ValueError(_detail(response))
        if response.status_code != 200:
            raise LearnerUnavailable(f"the learner of {stream} answered {response.status_code}: {_detail(response)}")
        try:
            return Answer.model_validate_json(response.content)
        except ValidationError as error:
            raise LearnerUnavailable(f"the learner of {stream} answered nonsense: {error}") from error

    def detail(self, stream: str) -> StreamDetail:
        address = self._address(stream)
        try:
            response = self._client.get(f"http://{address}/detail/{stream}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(stream, address, error) from error
        if response.status_code != 200:
            raise LearnerUnavailable(f"the learner of {stream} answered {response.status_code}: {_detail(response)}")
        try:
            return StreamDetail.model_validate_json(response.content)
        except ValidationError as error:
            raise LearnerUnavailable(f"the learner of {stream} answered nonsense: {error}") from error

    def close(self) -> None:
        self._client.close()

    def _address(self, stream: str) -> str:
        raw = self._store.get(status.key(stream))
        if raw is None:
            raise UnknownStream(stream)
        try:
            address = StreamStatus.model_validate_json(raw).address
        except ValidationError as error:
            raise LearnerUnavailable(f"the status of {stream} in the store is none of this version: {error}") from error
        if not address:
            raise LearnerUnavailable(f"the learner of {stream} tells no address: set its PREQUEL_ADVERTISE")
        return address

    def _ask(self, address: str, stream: str, features: Vector) -> httpx.Response:
        body = orjson.dumps({"stream": stream, "features": features}, option=orjson.OPT_SERIALIZE_NUMPY)
        try:
            return self._client.post(
                f"http://{address}/predict", content=body, headers={"Content-Type": "application/json"}
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(stream, address, error) from error


def _unreachable(stream: str, address: str, error: Exception) -> LearnerUnavailable:
    return LearnerUnavailable(f"the learner of {stream} at {address} cannot be reached: {error}")


def _detail(response: httpx.Response) -> str:
    try:
        return str(orjson.loads(response.content)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return response.text[:200]
