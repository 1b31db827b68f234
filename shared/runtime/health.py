"""Whether a service is alive and ready, and the reasons when it is not."""

import threading


class Health:
    """Reasons by component; ready when there are none. Safe from any thread.

    ``failing`` is set once a component has stopped for good, so that the process can end and be started again.
    """

    def __init__(self, failing: threading.Event | None = None) -> None:
        self._failing = failing or threading.Event()
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        self._failed: str | None = None

    def waits(self, component: str, reason: str) -> None:
        """The component cannot work now, and says why and what it waits for."""
        with self._lock:
            self._reasons[component] = reason

    def works(self, component: str) -> None:
        with self._lock:
            self._reasons.pop(component, None)

    def fails(self, component: str, reason: str) -> None:
        """The component has stopped for good: the process should be restarted."""
        with self._lock:
            self._failed = f"{component}: {reason}"
            self._reasons[component] = reason
        self._failing.set()

    @property
    def reasons(self) -> dict[str, str]:
        with self._lock:
            return dict(self._reasons)

    @property
    def failed(self) -> str | None:
        with self._lock:
            return self._failed
