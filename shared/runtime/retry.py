"""How everything is retried: how long to pause, and what /readyz and the log say in the meantime."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from prequel.shared.runtime.health import Health

logger = logging.getLogger(__name__)

Random = Callable[[], float]
"""Returns numbers in [0, 1), evenly distributed."""


class Backoff(NamedTuple):
    """Pauses that double from ``base_s`` up to ``cap_s`` seconds; the part ``jitter`` of each is random.

    Without it all clients that lost a server at the same moment would return at the same moment, again and again. See
    M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """

    base_s: float
    cap_s: float
    jitter: float = 0.5

    def pause(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures in a row (1 or more); ``chance`` is a random number in [0, 1)."""
        # 60 doublings are beyond every cap; without this limit a long outage would overflow the float.
        whole = min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 60))
        return whole * (1 - self.jitter * chance)


class Attempts:
    """The attempts at one task: when the next is due, and why the last one failed. Safe from any thread.

    ``name`` is the task's component on /readyz, ``retry`` the end of the sentence there. The pauses are short again
    when nothing has failed for twice the longest pause.
    """

    def __init__(
        self,
        name: str,
        health: Health,
        backoff: Backoff,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Random = random.random,
        retry: str = "trying again automatically",
    ) -> None:
        self.name, self.reason = name, ""
        self._health, self._backoff, self._clock, self._chance, self._retry = health, backoff, clock, chance, retry
        self._lock = threading.Lock()
        self._failures = 0
        self._last_failure = self._next_due = float("-inf")

    @property
    def due(self) -> bool:
        """Whether nothing is wrong, or the pause after the last failure is over."""
        return self._clock() >= self._next_due

    def failed(self, error: Exception, *, expected: bool = True) -> float:
        """Record a failure on /readyz and, once for each reason, in the log; return the pause in seconds.

        An error that is not ``expected`` is a bug: its traceback is logged.
        """
        reason = str(error) if expected else f"a bug; the log has the traceback ({error!r})"
        with self._lock:
            now = self._clock()
            # Not by a success alone: a task that works for a moment between failures is still failing.
            recent = now - self._last_failure <= 2 * self._backoff.cap_s
            self._failures = self._failures + 1 if recent else 1
            pause = self._backoff.pause(self._failures, self._chance())
            self._last_failure, self._next_due = now, now + pause
            repeated, self.reason = self.reason == reason, reason
        if not expected:
            logger.error("%s failed and is tried again", self.name, exc_info=error)
        elif not repeated:
            logger.warning("%s: %s; %s", self.name, reason, self._retry)
        self._health.waits(self.name, f"{reason}; {self._retry}")
        return pause

    def worked(self) -> None:
        """Record a success: the problem disappears from /readyz. Costs next to nothing where there was none."""
        if self.reason:
            with self._lock:
                self.reason, self._next_due = "", float("-inf")
            logger.info("%s works again", self.name)
        self._health.works(self.name)

    def run(self, work: Callable[[], None], *expected: type[Exception]) -> bool:
        """Do the work if it is due; return whether it was done without an error. Raises nothing."""
        if not self.due:
            return False
        try:
            work()
        except Exception as error:
            self.failed(error, expected=isinstance(error, expected))
            return False
        self.worked()
        return True
