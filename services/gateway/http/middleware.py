"""What every request passes first: its time is measured, its size limited, its answer gets safe headers."""

import asyncio
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prequel.services.gateway.http.problems import Problem, problem_response, unavailable
from prequel.shared.runtime.deadlines import BODY_S, BODY_SILENCE_S
from prequel.shared.runtime.metrics import Metrics

ALL_BYTES = 256 * 2**20
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Measure:
    """``prequel_http_request_seconds``: from the request to the beginning of its answer, by the route's template."""

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app, self._seconds, self._clock = app, metrics.http_seconds, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, answered = self._clock(), False

        def observe(code: int) -> None:
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._seconds.labels(_template(scope), method, str(code)).observe(self._clock() - began)

        async def measured(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                observe(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, measured)
        finally:
            if not answered:
                observe(500)
        return None


def _template(scope: Scope) -> str:
    """The path with its parameters' names: a bounded number of values, whatever clients ask for."""
    return getattr(scope.get("route"), "path", "none")


class Protect:
    """Headers that keep browsers from guessing, embedding and caching, where the answer does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, protected if scope["type"] == "http" else send)


class Limit:
    """413 for a body larger than its Content-Type may be: at once if it says so, else when it turns out.

    503 where all bodies together would take more than ``all_bytes`` of memory: clients send them again a little later.
    408 for one that does not come, so that nobody holds that memory for long. 415 for one that is compressed: it would
    be taken for what it is not, and might be of any size.
    """

    def __init__(
        self,
        app: ASGIApp,
        image_bytes: int,
        form_bytes: int,
        other_bytes: int,
        all_bytes: int = ALL_BYTES,
        silence_s: float = BODY_SILENCE_S,
        whole_s: float = BODY_S,
    ) -> None:
        self._app, self._silence_s, self._whole_s = app, silence_s, whole_s
        self._limits = {"image": image_bytes, "multipart": form_bytes}
        self._other, self._all = other_bytes, max(all_bytes, form_bytes)
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        most = self._limits.get(headers.get("content-type", "").lower().partition("/")[0], self._other)
        if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            return await problem_response(_compressed(headers["content-encoding"]))(scope, receive, send)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > most:
            return await problem_response(_too_large(most))(scope, receive, send)
        return await self._limited(scope, receive, send, most)

    async def _limited(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        received, whole = 0, False
        now = asyncio.get_running_loop().time
        deadline = now() + self._whole_s

        async def limited() -> Message:
            nonlocal received, whole
            if whole:  # what comes now is that the client has gone, and that may take as long as it likes
                return await receive()
            try:
                async with asyncio.timeout_at(min(deadline, now() + self._silence_s)):
                    message = await receive()
            except TimeoutError:
                raise self._too_slow() from None
            whole = not message.get("more_body", False)
            size = len(message.get("body", b""))
            received += size
            self._held += size
            if received > most:
                raise _too_large(most)
            if self._held > self._all:
                raise unavailable(f"more than {self._all} bytes are being received at once; send it again")
            return message

        try:
            await self._app(scope, limited, send)
        finally:
            self._held -= received

    def _too_slow(self) -> Problem:
        within = f"send it within {self._whole_s:g} s, without a pause of {self._silence_s:g} s"
        return Problem(408, f"the body did not come: {within}", {"Connection": "close"})


def _compressed(encoding: str) -> Problem:
    return Problem(415, f"Content-Encoding {encoding[:100]!r} is not read: send the body as it is, without one")


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than {most} bytes; PREQUEL_MAX_IMAGE_BYTES sets the limit for images")
