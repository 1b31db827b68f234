"""A client of the gateway: its HTTP calls as methods."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from prequel.services.producer.connection import (
    UNAVAILABLE,
    GatewayConnection,
    checked_json,
    error_detail,
    json_member,
    not_prequel,
)
from prequel.services.producer.errors import GatewayError, RequestRefused, WrongUsage
from prequel.services.producer.event_stream import EventStream
from prequel.services.producer.exported_stream import ExportedStream
from prequel.services.producer.parts import Answer, Answers, answers
from prequel.services.producer.sources.base import LoadedImage
from prequel.shared.runtime.deadlines import EXPORT_SILENCE_S, PRODUCER_ANSWER_S, PRODUCER_CONNECT_S, PRODUCER_RETRY_S
from prequel.shared.status import StreamStatus

NOT_FOUND = 404
FLOAT32_BYTES, BINARY = 4, "application/octet-stream"

ImageRefusal = tuple[LoadedImage, RequestRefused]
"""An image that the gateway refused, and why."""

Parsed = TypeVar("Parsed", bound=BaseModel)


class Overview(NamedTuple):
    """``streams``, the status of each; ``log``, the sizes of its topics, None where they are not measured."""

    streams: list[StreamStatus]
    log: dict[str, Any] | None


class Client:
    """Calls of the gateway's HTTP interface. Safe from several threads. Each blocks, and raises what
    ``GatewayConnection.request`` raises."""

    def __init__(self, connection: GatewayConnection) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self._connection.url

    def check(self) -> None:
        """Raises GatewayError unless a gateway answers at the first try, and accepts the API key."""
        try:
            answer = self._connection.get_once("/v1/streams")
            if answer.status_code not in UNAVAILABLE and "streams" not in checked_json(answer):
                raise not_prequel(answer)
        except httpx.TransportError as error:
            raise self._connection.unreachable(error) from None
        except RequestRefused:
            raise not_prequel(answer) from None

    def post_images(self, stream: str, images: Sequence[LoadedImage]) -> list[ImageRefusal]:
        """Send images with their labels in one request, in order; return those that were refused.

        All others are durable in the log.
        """
        return _refusals(images, self.send_images(stream, images))

    def post_examples(self, stream: str, examples: Sequence[LoadedImage], backbone: str) -> list[ImageRefusal]:
        """As ``post_images``, for features of ``backbone``: the data of each are its values, little-endian float32."""
        return _refusals(examples, self.send_features(stream, examples, backbone))

    def send_images(self, stream: str, images: Sequence[LoadedImage], wait_s: float = 0) -> Answers:
        """Send images with their labels in one request; the answer to each, in order.

        With ``wait_s`` an answer has the prediction that came within so many seconds, or ``refused`` where the image
        became a dead letter.
        """
        return answers(lambda part: self._post_images(stream, part, wait_s), images)

    def send_features(self, stream: str, examples: Sequence[LoadedImage], backbone: str, wait_s: float = 0) -> Answers:
        """As ``send_images``, for features as in ``post_examples``."""
        return answers(lambda part: self._post_features(stream, part, backbone, wait_s), examples)

    def post_labels(self, stream: str, labels: Sequence[Mapping[str, str | None]], wait_s: float = 0) -> list[Answer]:
        """Send labels (``id``, ``label``, perhaps ``by``, ``why``) in order; their positions, or outcomes if waited
        for."""
        path = f"/v1/streams/{stream}/labels"
        return list(self._connection.request("POST", path, json=list(labels), **_waiting(wait_s)))

    def predict(self, stream: str, image: bytes, content_type: str) -> Answer:
        """What the stream's models predict of an image now: nothing is stored. Raises RequestRefused."""
        headers = {"Content-Type": content_type}
        answer: Answer = self._connection.request(
            "POST", f"/v1/streams/{stream}/predict", content=image, headers=headers
        )
        return answer

    def predict_features(self, stream: str, features: Sequence[float]) -> Answer:
        """As ``predict``, of a feature vector."""
        body = {"features": list(features)}
        answer: Answer = self._connection.request("POST", f"/v1/streams/{stream}/predict", json=body)
        return answer

    def read(self, path: str, **params: str) -> Any:
        """The JSON at a path of the interface. Raises RequestRefused where there is nothing."""
        return self._connection.request("GET", path, params=params)

    def image(self, stream: str, id: str, size: int | None = None) -> bytes:
        """An image as it was sent, or its thumbnail of at most ``size`` pixels. Raises RequestRefused, GatewayError."""
        params, path = {"size": str(size)} if size else {}, f"/v1/streams/{stream}/images/{quote(id, safe='')}"
        with self._connection.streamed(path, params, PRODUCER_ANSWER_S) as answer:
            return answer.read()

    def events(self, stream: str | None, after: str | None) -> EventStream:
        """The events of a stream (None: of all) from now on, or after the one of this id."""
        path = "/v1/events" if stream is None else f"/v1/streams/{stream}/events"
        return EventStream(self._connection, path, after)

    def lookup(self, stream: str, ids: Sequence[str], *, with_authors: bool = False) -> list[dict[str, Any]]:
        """Those of at most 1,000 ids that the stream knows, with their true labels, and with who gave these."""
        body = {"ids": list(ids), "who": with_authors}
        return list(self._connection.request("POST", f"/v1/streams/{stream}/lookup", json=body)["examples"])

    def delete(self, stream: str, command_id: str, wait_s: float = 0) -> dict[str, Any]:
        """Delete a stream by a command of this id: its position, or its outcome if waited for."""
        headers = {"Idempotency-Key": command_id}
        answer: dict[str, Any] = self._connection.request(
            "DELETE", f"/v1/streams/{stream}", headers=headers, **_waiting(wait_s)
        )
        return answer

    def command(self, stream: str, command: Mapping[str, Any], wait_s: float = 0) -> dict[str, Any]:
        """Give a command (``do``, ``id``, its own fields): its position, or its outcome if waited for."""
        answer: dict[str, Any] = self._connection.request(
            "POST", f"/v1/streams/{stream}/commands", json=dict(command), **_waiting(wait_s)
        )
        return answer

    def history(self, stream: str) -> dict[str, Any] | None:
        """Who changed a stream, just as the gateway answers; None where there is no such stream."""
        answer: dict[str, Any] | None = self._get(f"/v1/streams/{stream}/history")
        return answer

    def prediction(self, stream: str, id: str, wait_s: float = 0) -> dict[str, Any] | None:
        """The prediction of an image, or None if there is none within ``wait_s`` seconds.

        Raises RequestRefused where there will be none: the image became a dead letter.
        """
        path = f"/v1/streams/{stream}/predictions/{quote(id, safe='')}"
        answer: dict[str, Any] | None = self._get(path, **_waiting(wait_s))
        return answer

    def recent(self, stream: str, limit: int) -> list[dict[str, Any]]:
        """The newest predictions."""
        answer = self._get(f"/v1/streams/{stream}/predictions", params={"sort": "recent", "limit": str(limit)})
        return list(answer["predictions"]) if answer else []

    def stream(self, stream: str) -> StreamStatus | None:
        """The status of one stream, or None before its first example."""
        answer = self.stream_json(stream)
        return None if answer is None else _status(answer)

    def streams(self) -> list[StreamStatus]:
        """The status of every stream."""
        return self.overview().streams

    def overview(self) -> Overview:
        """The status of every stream, and of the log."""
        answer = self.overview_json()
        return Overview([_status(status) for status in answer["streams"]], answer.get("log"))

    def stream_json(self, stream: str) -> dict[str, Any] | None:
        """As ``stream``, just as the gateway answers."""
        answer: dict[str, Any] | None = self._get(f"/v1/streams/{stream}")
        return answer

    def overview_json(self) -> dict[str, Any]:
        """As ``overview``, just as the gateway answers."""
        answer: dict[str, Any] = self._connection.request("GET", "/v1/streams")
        return answer

    def start_backtest(self, stream: str, id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a back-test of this id: what is known of it now."""
        path, headers = f"/v1/streams/{stream}/backtests", {"Idempotency-Key": id}
        answer: dict[str, Any] = self._connection.request("POST", path, json=body, headers=headers)
        return answer

    def backtest(self, stream: str, id: str) -> dict[str, Any] | None:
        """A back-test, with its result where it is done; None where there is none."""
        answer: dict[str, Any] | None = self._get(f"/v1/streams/{stream}/backtests/{id}")
        return answer

    def end_backtest(self, stream: str, id: str) -> None:
        """Cancel a back-test, or forget one that has ended."""
        self._connection.request("DELETE", f"/v1/streams/{stream}/backtests/{id}")

    @contextmanager
    def export(self, stream: str, what: str, format: str) -> "Iterator[ExportedStream]":
        """An export while it arrives. Raises RequestRefused, GatewayError."""
        params = {"what": what, "format": format}
        with self._connection.streamed(f"/v1/streams/{stream}/export", params, EXPORT_SILENCE_S) as answer:
            yield ExportedStream(answer)

    def model_file(self, stream: str, spec: str) -> bytes:
        """A model of the stream as arrays (.npz); ``spec`` empty: the champion. Raises RequestRefused, GatewayError."""
        params = {"model": spec} if spec else {}
        with self._connection.streamed(f"/v1/streams/{stream}/model", params, PRODUCER_ANSWER_S) as answer:
            return b"".join(answer.iter_bytes())

    def not_ready(self) -> dict[str, str]:
        """The reasons why the services cannot work now, by component; empty when they can."""
        try:
            answer = self._connection.get_once("/readyz")
        except httpx.TransportError as error:
            return {"gateway": str(error) or type(error).__name__}
        return {} if answer.is_success else dict(json_member(answer, "reasons") or {"gateway": error_detail(answer)})

    def check_alive(self) -> None:
        """Raises GatewayError where a part of the services has stopped for good: waiting would not help."""
        with suppress(httpx.TransportError):
            answer = self._connection.get_once("/healthz")
            if json_member(answer, "alive") is False:
                raise GatewayError(
                    f"the services at {self.url} have stopped ({json_member(answer, 'reason')}): "
                    "start them again, then give the same command again"
                )

    def _post_images(self, stream: str, images: Sequence[LoadedImage], wait_s: float) -> list[Answer]:
        answer = self._connection.request(
            "POST",
            f"/v1/streams/{stream}/images",
            files=[("file", ("image", image.data, image.content_type)) for image in images],
            data=_form_fields(images),
            **_waiting(wait_s),
        )
        return answer if isinstance(answer, list) else [answer]  # A form of one image is answered as one image.

    def _post_features(
        self, stream: str, examples: Sequence[LoadedImage], backbone: str, wait_s: float
    ) -> list[Answer]:
        options = _waiting(wait_s)
        dim = str(len(examples[0].data) // FLOAT32_BYTES)
        options["params"] |= {"backbone": backbone, "dim": dim}
        answer: list[Answer] = self._connection.request(
            "POST",
            f"/v1/streams/{stream}/examples",
            files=[("file", ("features", b"".join(example.data for example in examples), BINARY))],
            data=_form_fields(examples),
            **options,
        )
        return answer

    def _get(self, path: str, **options: Any) -> Any:
        """None where there is nothing at this path yet; a dead letter is an error."""
        try:
            return self._connection.request("GET", path, **options)
        except RequestRefused as refused:
            if refused.status_code == NOT_FOUND and not refused.reason:
                return None
            raise


def _refusals(images: Sequence[LoadedImage], answers: Answers) -> list[ImageRefusal]:
    pairs = zip(images, answers, strict=True)
    return [(image, answer) for image, answer in pairs if isinstance(answer, RequestRefused)]


def _form_fields(images: Sequence[LoadedImage]) -> dict[str, list[str]]:
    return {"id": [image.id for image in images], "label": [image.label or "" for image in images]}


def connect(
    url: str,
    api_key: str | None,
    *,
    stop: threading.Event,
    clock: Callable[[], float],
    timeout_s: float = PRODUCER_RETRY_S,
) -> Client:
    """A client of the gateway at ``url``, to be closed. Raises WrongUsage where that is not a valid address, or the key
    cannot be sent."""
    if api_key and (not api_key.isprintable() or api_key != api_key.strip()):
        raise WrongUsage(
            "the API key has spaces around it or a line break or the like in it: give it without, as key.strip() does"
        )
    headers = [(b"User-Agent", b"prequel"), *([(b"X-API-Key", api_key.encode())] if api_key else [])]
    try:
        timeout = httpx.Timeout(PRODUCER_ANSWER_S, connect=PRODUCER_CONNECT_S)
        # Not by a proxy of the environment: it would not reach a gateway on loopback.
        http = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False)
        if http.base_url.scheme not in ("http", "https") or not http.base_url.host:
            raise httpx.InvalidURL("no scheme or host")
    except httpx.InvalidURL as error:
        raise WrongUsage(f"url {url} is not a valid address ({error}): give one like http://127.0.0.1:8000") from None
    return Client(GatewayConnection(http, stop, clock, timeout_s=timeout_s))


def parsed(kind: type[Parsed], answer: object, what: str) -> Parsed:
    """The answer as a value. Raises GatewayError where it is none, as that of another version of Prequel may be."""
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))
        raise GatewayError(
            f"the gateway's {what} has an invalid field {field} ({problem['msg']}): it is of another version of "
            "Prequel; use both of one version"
        ) from None


def _status(answer: dict[str, Any]) -> StreamStatus:
    return parsed(StreamStatus, answer, "status of a stream")


def _waiting(wait_s: float) -> dict[str, Any]:
    """Options of a request that the gateway may answer up to ``wait_s`` seconds late."""
    timeout = httpx.Timeout(wait_s + PRODUCER_ANSWER_S, connect=PRODUCER_CONNECT_S)
    return {"params": {"wait": f"{wait_s:g}"} if wait_s else {}, "timeout": timeout}
