"""A client of the gateway that repeats what was not answered, under the same id."""

import itertools
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self
from urllib.parse import quote

import httpx
import orjson

from prequel.services.producer.sources.base import Item, ProducerError, WrongUsage
from prequel.shared.runtime.deadlines import PRODUCER_ANSWER_S, PRODUCER_BACKOFF, PRODUCER_CONNECT_S, PRODUCER_RETRY_S

AGAIN = frozenset((429, 502, 503, 504))
"""Answers that mean: not now."""


class GatewayError(ProducerError):
    """The gateway cannot be used."""


class Refused(GatewayError):
    """The gateway will never accept this request; others it may. ``reason`` is a dead letter's, else empty."""

    def __init__(self, code: int, detail: str, reason: str = "") -> None:
        super().__init__(detail)
        self.code, self.reason = code, reason


class Stopped(ProducerError):
    """The user asked to stop while something was waited for."""


class Client:
    """Calls of the gateway's HTTP interface. Safe from several threads.

    A request that finds no gateway, or one that says "not now", is repeated for ``patience_s`` seconds; whether it
    was carried out or not, its ids make the repetition harmless. Raises GatewayError after that, Refused where the
    answer is no, Stopped where ``stop`` is set.
    """

    def __init__(
        self,
        http: httpx.Client,
        stop: threading.Event,
        clock: Callable[[], float],
        patience_s: float = PRODUCER_RETRY_S,
    ) -> None:
        self._http, self._stop, self._clock, self._patience_s = http, stop, clock, patience_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    @property
    def url(self) -> str:
        """The gateway's address."""
        return str(self._http.base_url).rstrip("/")

    def check(self) -> None:
        """Ask once whether a gateway is there and lets us in."""
        try:
            answer = self._http.get("/v1/streams")
            if answer.status_code not in AGAIN and "streams" not in _checked(answer):
                raise _stranger(answer)
        except httpx.TransportError as error:
            raise self._away(error) from None
        except Refused:
            raise _stranger(answer) from None

    def post_images(self, stream: str, items: Sequence[Item]) -> list[tuple[Item, Refused]]:
        """Send images with their labels in one request, in order; return those that were refused, and why.

        All others are durable in the log.
        """
        try:
            self._post_form(stream, items)
        except Refused as refused:
            if len(items) == 1:
                return [(items[0], refused)]
            return [pair for item in items for pair in self.post_images(stream, [item])]
        return []

    def post_labels(
        self, stream: str, labels: Sequence[Mapping[str, str | None]], wait_s: float = 0
    ) -> list[dict[str, Any]]:
        """Send labels (``id``, ``label``, perhaps ``by``) in order; their positions, or outcomes if waited for."""
        answer = self._request(
            "POST", f"/v1/streams/{stream}/labels", params=_waiting(wait_s), json=list(labels), timeout=_longer(wait_s)
        )
        return list(answer)

    def lookup(self, stream: str, ids: Sequence[str], who: bool = False) -> list[dict[str, Any]]:
        """Those of at most 1,000 ids that the stream knows, with their truths; ``who``: and who gave these."""
        answer = self._request("POST", f"/v1/streams/{stream}/lookup", json={"ids": list(ids), "who": who})
        return list(answer["examples"])

    def delete(self, stream: str, id: str, wait_s: float = 0) -> dict[str, Any]:
        """Delete a stream by a command of this id: its position, or what became of it if waited for."""
        answer: dict[str, Any] = self._request(
            "DELETE",
            f"/v1/streams/{stream}",
            params=_waiting(wait_s),
            headers={"Idempotency-Key": id},
            timeout=_longer(wait_s),
        )
        return answer

    def prediction(self, stream: str, id: str, wait_s: float = 0) -> dict[str, Any] | None:
        """The prediction of an image, or None if there is none within ``wait_s``; Refused where there will be none."""
        path = f"/v1/streams/{stream}/predictions/{quote(id, safe='')}"
        answer: dict[str, Any] | None = self._lookup(path, params=_waiting(wait_s), timeout=_longer(wait_s))
        return answer

    def recent(self, stream: str, limit: int) -> list[dict[str, Any]]:
        """The newest predictions."""
        answer = self._lookup(f"/v1/streams/{stream}/predictions", params={"sort": "recent", "limit": str(limit)})
        return list(answer["predictions"]) if answer else []

    def streams(self) -> list[dict[str, Any]]:
        """The status of every stream."""
        return list(self.overview()["streams"])

    def overview(self) -> dict[str, Any]:
        """``streams``, the status of each, and ``log``, the sizes of topics (null or missing where not measured)."""
        answer: dict[str, Any] = self._request("GET", "/v1/streams")
        return answer

    def stream(self, stream: str) -> dict[str, Any] | None:
        """The status of one stream, or None before its first example."""
        answer: dict[str, Any] | None = self._lookup(f"/v1/streams/{stream}")
        return answer

    def ready(self) -> dict[str, str]:
        """What keeps the services from working now, by component; empty when nothing does."""
        try:
            answer = self._http.get("/readyz")
        except httpx.TransportError as error:
            return {"gateway": str(error) or type(error).__name__}
        return {} if answer.is_success else dict(_member(answer, "reasons") or {"gateway": _detail(answer)})

    def check_alive(self) -> None:
        """Raises GatewayError where a part of the services has stopped for good: waiting would not help."""
        with suppress(httpx.TransportError):
            answer = self._http.get("/healthz")
            if _member(answer, "alive") is False:
                raise GatewayError(
                    f"the services at {self._http.base_url} have stopped ({_member(answer, 'reason')}): "
                    "start them again, then give the same command again"
                )

    def _post_form(self, stream: str, items: Sequence[Item]) -> None:
        self._request(
            "POST",
            f"/v1/streams/{stream}/images",
            files=[("file", ("image", item.data, item.content_type)) for item in items],
            data={"id": [item.id for item in items], "label": [item.label or "" for item in items]},
        )

    def _lookup(self, path: str, **request: Any) -> Any:
        try:
            return self._request("GET", path, **request)
        except Refused as refused:
            if refused.code == 404 and not refused.reason:
                return None
            raise

    def _request(self, method: str, path: str, **request: Any) -> Any:
        begin = self._clock()
        for tries in itertools.count(1):
            pause = PRODUCER_BACKOFF.pause(tries, random.random())
            problem: object
            try:
                answer = self._http.request(method, path, **request)
                if answer.status_code not in AGAIN:
                    return _checked(answer)
                problem, pause = _detail(answer), max(pause, _seconds(answer.headers.get("Retry-After")))
            except httpx.TransportError as error:
                problem = error
            if self._clock() - begin + pause > self._patience_s:
                raise self._away(problem)
            if self._stop.wait(pause):
                raise Stopped("stopped before the gateway answered")
        raise AssertionError("unreachable")

    def _away(self, problem: object) -> GatewayError:
        return GatewayError(
            f"no gateway answers at {self._http.base_url} ({problem or type(problem).__name__}): "
            "start one with `prequel up`, or give its address with --url"
        )


def connect(
    url: str,
    api_key: str | None,
    *,
    stop: threading.Event,
    clock: Callable[[], float],
    patience_s: float = PRODUCER_RETRY_S,
) -> Client:
    """A client of the gateway at ``url``, to be closed. Raises WrongUsage where that is no address."""
    headers = [(b"User-Agent", b"prequel"), *([(b"X-API-Key", api_key.encode())] if api_key else [])]
    try:
        timeout = httpx.Timeout(PRODUCER_ANSWER_S, connect=PRODUCER_CONNECT_S)
        http = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False)
        if http.base_url.scheme not in ("http", "https") or not http.base_url.host:
            raise httpx.InvalidURL("no scheme or host")
    except httpx.InvalidURL as error:
        raise WrongUsage(f"--url {url} is no address ({error}): give one like http://127.0.0.1:8000") from None
    return Client(http, stop, clock, patience_s)


def _checked(answer: httpx.Response) -> Any:
    if answer.is_success:
        return _json(answer)
    if answer.status_code == 401:
        raise GatewayError(f"{_detail(answer)}; give the command one of the gateway's PREQUEL_API_KEYS")
    if answer.status_code == 403 or answer.status_code >= 500:
        raise GatewayError(f"the gateway at {answer.url.netloc.decode()} does not answer this: {_detail(answer)}")
    reason, detail = str(_member(answer, "reason") or ""), _detail(answer)
    raise Refused(answer.status_code, detail[detail.find(f"{reason}: ") :] if reason else detail, reason)


def _json(answer: httpx.Response) -> Any:
    """Every success of a gateway is a JSON object or list."""
    try:
        body = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        raise _stranger(answer) from None
    if not isinstance(body, dict | list):
        raise _stranger(answer)
    return body


def _stranger(answer: httpx.Response) -> GatewayError:
    return GatewayError(f"{answer.url} answers, but not as a gateway of Prequel: give another --url")


def _detail(answer: httpx.Response) -> str:
    """What the problem+json says, or the status line of a proxy between."""
    return str(_member(answer, "detail") or f"{answer.status_code} {answer.reason_phrase}")


def _member(answer: httpx.Response, name: str) -> Any:
    try:
        return answer.json().get(name)
    except (ValueError, AttributeError):
        return None


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 0.0


def _waiting(wait_s: float) -> dict[str, str]:
    return {"wait": f"{wait_s:g}"} if wait_s else {}


def _longer(wait_s: float) -> httpx.Timeout:
    return httpx.Timeout(wait_s + PRODUCER_ANSWER_S, connect=PRODUCER_CONNECT_S)
