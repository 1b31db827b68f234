"""Limits on request bodies: their size one by one and together, the time they take, and no compression."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prequel.services.gateway.http.problems import Problem, problem_response, unavailable
from prequel.shared.runtime.deadlines import BODY_S, BODY_SILENCE_S

MAX_TOTAL_BYTES = 256 * 2**20
"""All bodies that are being received, in memory. Twice as much would need machines of 1 GiB for a gateway; half would
refuse clients while two forms of the largest size come in."""


class BodyLimits:
    """413 for a body larger than its Content-Type allows: at once if Content-Length says so, else when it gets there.

    503 where all bodies together would take more than ``total_bytes`` of memory: clients send them again a little
    later. 408 for one that pauses for ``silence_s`` or takes longer than ``whole_s``, so that nobody occupies that
    memory for long. 415 for a compressed one: it would not be decompressed, and might be of any size.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        image_bytes: int,
        form_bytes: int,
        other_bytes: int,
        total_bytes: int = MAX_TOTAL_BYTES,
        silence_s: float = BODY_SILENCE_S,
        whole_s: float = BODY_S,
    ) -> None:
        self._app, self._silence_s, self._whole_s = app, silence_s, whole_s
        self._limits = {"image": image_bytes, "multipart": form_bytes}
        self._other_bytes, self._total_bytes = other_bytes, max(total_bytes, form_bytes)
        self._received = 0
        """Bytes of all requests in progress. Without a lock: only the event loop changes it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        limit = self._limits.get(headers.get("content-type", "").lower().partition("/")[0], self._other_bytes)
        if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            return await problem_response(_compressed(headers["content-encoding"]))(scope, receive, send)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > limit:
            return await problem_response(_too_large(limit))(scope, receive, send)
        body = _Body(receive, limit, asyncio.get_running_loop().time() + self._whole_s)
        try:
            return await self._app(scope, lambda: self._receive(body), send)
        finally:
            self._received -= body.received

    async def _receive(self, body: "_Body") -> Message:
        if body.complete:  # The next message is the client's disconnect, which has no deadline.
            return await body.receive()
        try:
            silence_ends = asyncio.get_running_loop().time() + self._silence_s
            async with asyncio.timeout_at(min(body.deadline, silence_ends)):
                message = await body.receive()
        except TimeoutError:
            raise self._too_slow() from None
        self._count(body, message)
        return message

    def _count(self, body: "_Body", message: Message) -> None:
        """Counts before it refuses: what a refused request has sent is in memory until it ends."""
        body.complete = not message.get("more_body", False)
        size = len(message.get("body", b""))
        body.received += size
        self._received += size
        if body.received > body.limit:
            raise _too_large(body.limit)
        if self._received > self._total_bytes:
            raise unavailable(
                f"the gateway receives more than {self._total_bytes} bytes at once; send the request again"
            )

    def _too_slow(self) -> Problem:
        remedy = f"send it within {self._whole_s:g} s, without a pause of {self._silence_s:g} s"
        return Problem(408, f"the body did not arrive in time: {remedy}", {"Connection": "close"})


class _Body:
    """One request's body while it comes in."""

    def __init__(self, receive: Receive, limit: int, deadline: float) -> None:
        self.receive, self.limit, self.deadline = receive, limit, deadline
        self.received = 0
        self.complete = False


def _compressed(encoding: str) -> Problem:
    return Problem(
        415, f"Content-Encoding {encoding[:100]!r} is not supported: send the body uncompressed, without that header"
    )


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the body is larger than {limit} bytes; PREQUEL_MAX_IMAGE_BYTES sets the limit for images")
