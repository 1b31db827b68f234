"""How anything is tried again: how long to pause, and what /readyz and the log say meanwhile."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from prequel.shared.runtime.health import Health

logger = logging.getLogger(__name__)

Random = Callable[[], float]
"""Numbers in [0, 1), evenly spread."""


class Backoff(NamedTuple):
    """Pauses that double from ``base_s`` up to ``cap_s``; the share ``jitter`` of each is left to chance.

    Without chance everybody who lost a server at the same moment would come back at the same moment, again and again.
    """

    base_s: float
    cap_s: float
    jitter: float = 0.5

    def pause(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures in a row (1 or more), ``chance`` being in [0, 1)."""
        whole = min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 60))
        return whole * (1 - self.jitter * chance)


class Attempts:
    """One thing that is tried again and again: whether it is due, and why it does not work. Safe from any thread.

    ``name`` is its component on /readyz; ``retry`` ends the sentence there. Failures are forgotten, and pauses short
    again, once it has worked for as long as the longest pause.
    """

    def __init__(
        self,
        name: str,
        health: Health,
        backoff: Backoff,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Random = random.random,
        retry: str = "trying again by itself",
    ) -> None:
        self.name, self.reason = name, ""
        self._health, self._backoff, self._clock, self._chance, self._retry = health, backoff, clock, chance, retry
        self._lock = threading.Lock()
        self._failures = 0
        self._failed = self._due = float("-inf")

    @property
    def due(self) -> bool:
        """Whether nothing is wrong, or the pause after the last failure is over."""
        return self._clock() >= self._due

    def failed(self, error: Exception, *, expected: bool = True) -> float:
        """Say so, on /readyz and (once, while it stays the same) in the log; return the pause in seconds.

        An error that is not ``expected`` is a bug: the log gets its stack.
        """
        reason = str(error) if expected else f"it failed, the log has the stack ({error!r})"
        with self._lock:
            now = self._clock()
            self._failures = 1 if now - self._failed > 2 * self._backoff.cap_s else self._failures + 1
            pause = self._backoff.pause(self._failures, self._chance())
            self._failed, self._due = now, now + pause
            known, self.reason = self.reason == reason, reason
        if not expected:
            logger.error("%s failed and is tried again", self.name, exc_info=error)
        elif not known:
            logger.warning("%s: %s; %s", self.name, reason, self._retry)
        self._health.waits(self.name, f"{reason}; {self._retry}")
        return pause

    def worked(self) -> None:
        """It works: nothing is said of it any more. Costs next to nothing where nothing was wrong."""
        if self.reason:
            with self._lock:
                self.reason, self._due = "", float("-inf")
            logger.info("%s works again", self.name)
        self._health.works(self.name)

    def run(self, work: Callable[[], None], *expected: type[Exception]) -> bool:
        """Do it if it is due, whatever comes of it; whether it was done. Raises nothing."""
        if not self.due:
            return False
        try:
            work()
        except Exception as error:
            self.failed(error, expected=isinstance(error, expected))
            return False
        self.worked()
        return True
