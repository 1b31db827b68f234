"""The time that one pass of pruning may take, and the pauses between its steps."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MAX_PAUSE_SECONDS = 1.0
"""One slow step, on a busy disk, must not use up the rest of the pass."""


class Pass:
    """Ends at ``deadline`` by ``timer`` (seconds that never go back), or when ``stop`` is set."""

    def __init__(self, stop: threading.Event, timer: Callable[[], float], deadline: float) -> None:
        self._stop, self._timer, self._deadline = stop, timer, deadline

    @property
    def over(self) -> bool:
        return self._stop.is_set() or self._timer() >= self._deadline

    @contextmanager
    def step(self, pause_factor: float) -> Iterator[None]:
        """The block is followed by a pause of ``pause_factor`` times as long."""
        began = self._timer()
        yield
        self._stop.wait(min(pause_factor * (self._timer() - began), MAX_PAUSE_SECONDS))
