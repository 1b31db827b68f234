"""Middleware for every request: its time is measured, its answer gets safe headers."""

import time
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prequel.shared.runtime.metrics import Metrics

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""Values of the metric's label; clients may invent any number of others."""
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class RequestMetrics:
    """``prequel_http_request_seconds``: from the request to the beginning of its answer, by the route's template.

    To the beginning only: an answer of live events has no end to measure.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app, self._seconds, self._clock = app, metrics.http_seconds, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, answered = self._clock(), False

        def observe(code: int) -> None:
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._seconds.labels(_template(scope), method, str(code)).observe(self._clock() - started)

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


class SafeHeaders:
    """Headers that keep browsers from sniffing, embedding and caching, where the answer does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
