"""HTTP requests to a gateway, repeated while it is unavailable, and its answers checked."""

import itertools
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import orjson

from prequel.services.producer.errors import GatewayError, GatewayUnavailable, RequestRefused, Stopped
from prequel.shared.runtime.deadlines import PRODUCER_BACKOFF, PRODUCER_CONNECT_S

UNAVAILABLE = frozenset((429, 502, 503, 504))
"""Status codes of a gateway, or of a proxy before it, that cannot answer now."""

INVALID_KEY, FORBIDDEN = 401, 403


class GatewayConnection:
    """Requests to one gateway. Safe from several threads.

    A request that reaches no gateway, or one that is unavailable, is repeated for ``timeout_s`` seconds. It may have
    been carried out each time: events and commands have ids, so that a repetition changes nothing.
    """

    def __init__(
        self, http: httpx.Client, stop: threading.Event, clock: Callable[[], float], *, timeout_s: float
    ) -> None:
        self._http, self._stop, self._clock, self._timeout_s = http, stop, clock, timeout_s

    @property
    def url(self) -> str:
        """The gateway's address."""
        return str(self._http.base_url).rstrip("/")

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of the answer to a request; ``options`` are httpx's.

        Blocks. Raises GatewayError where the gateway stays unavailable, RequestRefused where it refuses the request,
        Stopped where ``stop`` is set meanwhile.
        """
        begin = self._clock()
        for tries in itertools.count(1):
            pause = PRODUCER_BACKOFF.pause(tries, random.random())
            problem: object
            try:
                answer = self._http.request(method, path, **options)
                if answer.status_code not in UNAVAILABLE:
                    return checked_json(answer)
                problem, pause = error_detail(answer), max(pause, _seconds(answer.headers.get("Retry-After")))
            except httpx.TransportError as error:
                problem = error
            if self._clock() - begin + pause > self._timeout_s:
                raise self.unreachable(problem)
            if self._stop.wait(pause):
                raise Stopped("stopped before the gateway answered")
        raise AssertionError("unreachable")

    def get_once(self, path: str) -> httpx.Response:
        """The answer to one try. Raises httpx.TransportError where no gateway is reached."""
        return self._http.get(path)

    @contextmanager
    def streamed(
        self, path: str, params: Mapping[str, str], silence_s: float, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """The successful answer to one try, its body not read yet; ``silence_s`` is how long it may be silent between
        two parts. Raises GatewayError, RequestRefused."""
        timeout = httpx.Timeout(silence_s, connect=PRODUCER_CONNECT_S)
        try:
            with self._http.stream("GET", path, params=dict(params), headers=headers, timeout=timeout) as answer:
                if not answer.is_success:
                    answer.read()
                    checked_json(answer)
                yield answer
        except httpx.TransportError as error:
            raise self.unreachable(error) from None

    def unreachable(self, problem: object) -> GatewayUnavailable:
        return GatewayUnavailable(
            f"no gateway answers at {self._http.base_url} ({problem or type(problem).__name__}): "
            "start one with `prequel up`, or give its address as url"
        )

    def again(self, began: float, tries: int, stop: threading.Event) -> bool:
        """Wait as long as between two tries of a request, or until ``stop`` is set.

        False where ``timeout_s`` would be over since ``began``: then there is no time for another one.
        """
        pause = PRODUCER_BACKOFF.pause(tries, random.random())
        if self._clock() - began + pause > self._timeout_s:
            return False
        stop.wait(pause)
        return True

    def now(self) -> float:
        """The time in seconds, of a clock that starts anywhere."""
        return self._clock()

    def close(self) -> None:
        self._http.close()


def checked_json(answer: httpx.Response) -> Any:
    """The JSON object or list of a success. Raises RequestRefused, and GatewayError for what concerns all requests."""
    if answer.is_success:
        return _json(answer)
    if answer.status_code == INVALID_KEY:
        raise GatewayError(f"{error_detail(answer)}; give one of the gateway's PREQUEL_API_KEYS")
    if answer.status_code == FORBIDDEN or answer.status_code >= 500:
        kind = GatewayUnavailable if answer.status_code in UNAVAILABLE else GatewayError
        raise kind(f"the gateway at {answer.url.netloc.decode()} cannot answer this: {error_detail(answer)}")
    reason, detail = str(json_member(answer, "reason") or ""), error_detail(answer)
    # A dead letter's detail is "image x has no prediction: REASON: ..."; callers know the first part.
    begin = detail.find(f"{reason}: ") if reason else -1
    raise RequestRefused(answer.status_code, detail[max(begin, 0) :], reason)


def json_member(answer: httpx.Response, name: str) -> Any:
    """A member of the answer's JSON object, None where it is none."""
    try:
        return answer.json().get(name)
    except (ValueError, AttributeError):
        return None


def not_prequel(answer: httpx.Response) -> GatewayError:
    return GatewayError(f"{answer.url} answers, but not as a gateway of Prequel: give another url")


def _json(answer: httpx.Response) -> Any:
    """Every success of a gateway is a JSON object or list."""
    try:
        body = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        raise not_prequel(answer) from None
    if not isinstance(body, dict | list):
        raise not_prequel(answer)
    return body


def error_detail(answer: httpx.Response) -> str:
    """The detail of a problem+json, or the status line of a proxy before the gateway."""
    return str(json_member(answer, "detail") or f"{answer.status_code} {answer.reason_phrase}")


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 0.0
