"""Wakes the threads of this process that wait for something new in a topic."""

import threading


class Wakeup:
    """A counter to wait on. Thread-safe.

    Whoever waits reads ``count`` *before* it looks for records and passes it to ``wait``: a notification between the
    look and the wait then ends the wait at once, instead of being missed.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.count = 0

    def notify(self) -> None:
        with self._condition:
            self.count += 1
            self._condition.notify_all()

    def wait(self, seen_count: int, timeout_s: float) -> None:
        """Return once ``count`` is no longer ``seen_count``, or after the timeout."""
        with self._condition:
            if self.count == seen_count:
                self._condition.wait(timeout_s)
