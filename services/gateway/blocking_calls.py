"""Blocking calls off the event loop, on a few threads of their own: nobody waits longer than a deadline for one."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Late(Exception):
    """A blocking call has not come back in time. Where it had begun, it goes on, and nobody hears its answer."""


class Bounded:
    """At most ``threads`` calls at one time; others wait for their turn, within the same deadline."""

    def __init__(self, name: str, threads: int, seconds: float) -> None:
        self._threads, self._seconds = ThreadPoolExecutor(threads, name), seconds

    async def run(self, work: Callable[[], Result]) -> Result:
        """What ``work`` returns or raises; raises Late. A call that nobody waits for any more is not begun."""
        called = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            await asyncio.wait({called}, timeout=self._seconds)
            if called.done():
                return called.result()
            raise Late(f"no answer within {self._seconds:g} s")
        finally:
            called.cancel()

    def close(self) -> None:
        """Begin nothing more; what has begun is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
