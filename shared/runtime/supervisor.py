"""Keeps background work going: what ends by an exception is logged, shown on /readyz and started again."""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable

from prequel.shared.runtime.deadlines import RESTART_BACKOFF
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.retry import Attempts, Backoff, Random

ReportWorking = Callable[[], None]
"""To be called by the work whenever it got something done: it clears the reason on /readyz."""


class Supervisor:
    """One policy for every task of a process that nobody waits for.

    ``expected`` errors say that something is away, and their words are enough; any other is a bug: its stack is logged.
    Either way /readyz tells it under the task's name until the task has got something done again. Work that returns
    is done; only an exception starts it again, after a pause.
    """

    def __init__(
        self,
        health: Health,
        *,
        backoff: Backoff = RESTART_BACKOFF,
        clock: Callable[[], float] = time.monotonic,
        chance: Random = random.random,
    ) -> None:
        self._health, self._backoff, self._clock, self._chance = health, backoff, clock, chance

    def run(
        self, name: str, work: Callable[[ReportWorking], None], stop: threading.Event, *expected: type[Exception]
    ) -> None:
        """Work on this thread until it returns, or ``stop`` is set."""
        attempts = self._attempts(name)
        while not stop.is_set():
            try:
                return work(attempts.worked)
            except Exception as error:
                stop.wait(attempts.failed(error, expected=isinstance(error, expected)))
        return None

    async def run_async(
        self, name: str, work: Callable[[ReportWorking], Awaitable[None]], *expected: type[Exception]
    ) -> None:
        """Work on the event loop until it returns, or this task is cancelled."""
        attempts = self._attempts(name)
        while True:
            try:
                return await work(attempts.worked)
            except Exception as error:
                await asyncio.sleep(attempts.failed(error, expected=isinstance(error, expected)))

    def _attempts(self, name: str) -> Attempts:
        return Attempts(name, self._health, self._backoff, clock=self._clock, chance=self._chance)
