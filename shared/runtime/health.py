"""Whether a process is alive and ready, and the reasons when it is not."""

import threading


class Health:
    """Problems by component; the process is ready when there are none. Safe from any thread.

    ``failing`` is set once a component has stopped for good, so that the process ends and is started again.
    """

    def __init__(self, failing: threading.Event | None = None) -> None:
        self._failing = failing or threading.Event()
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        self._failed: str | None = None

    def waits(self, component: str, reason: str) -> None:
        """The component cannot work now; ``reason`` says why, and what it waits for. It stays until ``works``."""
        with self._lock:
            self._reasons[component] = reason

    def works(self, component: str) -> None:
        """The component works, or works again."""
        with self._lock:
            self._reasons.pop(component, None)

    def fails(self, component: str, reason: str) -> None:
        """The component has stopped for good: only a restart of the process helps."""
        with self._lock:
            self._failed = f"{component}: {reason}"
            self._reasons[component] = reason
        self._failing.set()

    @property
    def reasons(self) -> dict[str, str]:
        """Component -> why it is not ready (/readyz)."""
        with self._lock:
            return dict(self._reasons)

    @property
    def failed(self) -> str | None:
        """Which component has stopped for good, and why (/healthz); None while all are alive."""
        with self._lock:
            return self._failed
