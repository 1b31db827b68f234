"""Restarts background work that fails: the error is logged, shown on /readyz, and the work begins again."""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable

from prequel.shared.runtime.deadlines import RESTART_BACKOFF
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.retry import Attempts, Backoff, Random

ReportWorking = Callable[[], None]
"""Called by the work whenever it got something done: this removes the problem from /readyz."""


class Supervisor:
    """One policy for every background task of a process, whose failure no caller would see.

    An ``expected`` error says that a server is unavailable, and its message is enough; any other is a bug, and its
    traceback is logged. Either way /readyz shows it under the task's name until the task reports that it works.
    Work that returns is finished; only an exception starts it again, after a pause.
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
        """Work on this thread until the work returns, or ``stop`` is set. Blocks."""
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
        """Work on the event loop until the work returns, or this task is cancelled."""
        attempts = self._attempts(name)
        while True:
            try:
                return await work(attempts.worked)
            except Exception as error:
                await asyncio.sleep(attempts.failed(error, expected=isinstance(error, expected)))

    def _attempts(self, name: str) -> Attempts:
        return Attempts(name, self._health, self._backoff, clock=self._clock, chance=self._chance)
