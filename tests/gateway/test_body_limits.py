"""All bodies together stay within their limit, and their memory is free again afterwards."""

import asyncio

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from prequel.services.gateway.http.body_limits import BodyLimits
from prequel.services.gateway.http.problems import problem_response

pytestmark = pytest.mark.anyio


class Slow:
    """Reads a body, then waits before it answers 200; a problem is answered as the application would."""

    def __init__(self) -> None:
        self.read = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except HTTPException as problem:
            return await problem_response(problem)(scope, receive, send)
        self.read += 1
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return None


async def test_bodies_are_bounded_together_and_a_refused_one_may_come_again() -> None:
    slow = Slow()
    limit = BodyLimits(slow, image_bytes=100, form_bytes=100, other_bytes=100, total_bytes=250)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(limit), base_url="http://localhost") as client:
        first = [asyncio.create_task(client.post("/", content=bytes(100))) for _ in range(2)]
        while slow.read < 2:
            await asyncio.sleep(0)
        refused = await asyncio.wait_for(client.post("/", content=bytes(100)), 10)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        slow.go.set()
        assert [(await answer).status_code for answer in first] == [200, 200]
        assert (await client.post("/", content=bytes(100))).status_code == 200
