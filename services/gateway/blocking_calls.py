"""Blocking calls off the event loop, on a few threads of their own, each with a deadline."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class CallTimeout(Exception):
    """A blocking call did not return in time. If it had begun, it goes on, and its result is ignored."""


class BlockingCalls:
    """At most ``threads`` calls at one time; others wait for their turn within the same ``timeout`` (seconds).

    Each kind of call has its own: where a server hangs, it keeps these threads, and other kinds of calls have theirs.
    """

    def __init__(self, name: str, threads: int, timeout: float) -> None:
        self._threads, self._timeout = ThreadPoolExecutor(threads, name), timeout

    async def run(self, function: Callable[[], Result]) -> Result:
        """What ``function`` returns or raises; raises CallTimeout.

        A call that is still waiting for its turn when its time is up, or its request is cancelled, is never begun.
        """
        future = asyncio.get_running_loop().run_in_executor(self._threads, function)
        try:
            await asyncio.wait({future}, timeout=self._timeout)
            if future.done():
                return future.result()
            raise CallTimeout(f"no answer within {self._timeout:g} s")
        finally:
            future.cancel()

    def close(self) -> None:
        """Begin no more calls; do not wait for those in progress."""
        self._threads.shutdown(wait=False, cancel_futures=True)
