"""What every request passes first: its time is measured, its size limited, its answer gets safe headers."""

import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.problems import Problem, problem_response
from shared.metrics import Metrics

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
            self._seconds.labels(_template(scope, code), method, str(code)).observe(self._clock() - began)

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


def _template(scope: Scope, code: int) -> str:
    """The path with its parameters' names: a bounded number of values, whatever clients ask for."""
    path = getattr(scope.get("route"), "path", "none")
    return "none" if path == "/{path:path}" and code == 404 else path


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
    """413 for a body larger than its Content-Type may be: at once if it says so, else when it turns out."""

    def __init__(self, app: ASGIApp, image_bytes: int, form_bytes: int, other_bytes: int) -> None:
        self._app = app
        self._limits = {"image": image_bytes, "multipart": form_bytes}
        self._other = other_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        most = self._limits.get(headers.get("content-type", "").lower().partition("/")[0], self._other)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > most:
            return await problem_response(_too_large(most))(scope, receive, send)
        received = 0

        async def limited() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise _too_large(most)
            return message

        return await self._app(scope, limited, send)


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than {most} bytes; PREQUEL_MAX_IMAGE_BYTES sets the limit for images")
