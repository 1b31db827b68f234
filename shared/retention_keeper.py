"""Keeps the log within its retention while a process runs, measures it, and warns before the disk is full."""

import logging
import threading
import time
from collections.abc import Callable

from shared.config import Settings
from shared.health import Health
from shared.log import TOPICS, Log, LogUnavailable
from shared.metrics import Metrics
from shared.pruning import Prunable, Pruner
from shared.store import Store, StoreUnavailable
from shared.usage import LogUsage, measure, needs

INTERVAL_SECONDS = 30.0
"""Between two looks. A disk that fills at 100 MB/s has 3 GB less by then; looking costs some queries of the log."""

WARNING_SECONDS = 3_600.0
"""Between two warnings of one kind in the log: often enough to be found, too rare to fill the disk by itself."""

NAME = "retention"

_logger = logging.getLogger(__name__)


class Keeper:
    """``clock``: seconds since the epoch. ``newest`` is what was measured last, for whoever wants to show it."""

    def __init__(
        self,
        settings: Settings,
        *,
        log: Log,
        store: Store,
        metrics: Metrics,
        health: Health,
        clock: Callable[[], float],
    ) -> None:
        self._settings, self._log, self._store = settings, log, store
        self._metrics, self._health, self._clock = metrics, health, clock
        self._warned: dict[str, float] = {}
        self.newest: LogUsage | None = None

    def run(self, stop: threading.Event) -> None:
        """Look, prune, look again, until ``stop``. Whatever fails, it goes on; a bug is shown on /readyz."""
        wait = 0.0
        while not stop.wait(wait):
            try:
                wait = 0.0 if self.look(stop) else INTERVAL_SECONDS
                self._health.works(NAME)
            except (LogUnavailable, StoreUnavailable) as error:  # Whoever needs them says so on /readyz.
                self._warn("nothing is pruned or measured", str(error))
                wait = INTERVAL_SECONDS
            except Exception as error:
                _logger.exception("%s failed; it is tried again every %g s", NAME, INTERVAL_SECONDS)
                self._health.waits(NAME, f"failed: {error!r}; tried again every {INTERVAL_SECONDS:g} s")
                wait = INTERVAL_SECONDS

    def look(self, stop: threading.Event) -> bool:
        """Prune for a while and measure; whether there is more to prune. Raises LogUnavailable, StoreUnavailable."""
        unfinished = self._prune(stop) if isinstance(self._log, Prunable) else False
        self._show(measure(self._log, self._store, self._settings, self._clock()))
        return unfinished

    def _prune(self, stop: threading.Event) -> bool:
        assert isinstance(self._log, Prunable)
        pruned = pruner(self._log, self._store, self._settings, clock=self._clock).run(stop)
        for topic, count in pruned.records.items():
            self._metrics.pruned.labels(topic).inc(count)
        return pruned.unfinished

    def _show(self, usage: LogUsage) -> None:
        self.newest = usage
        for each in usage.topics:
            if each.bytes is not None:
                self._metrics.log_bytes.labels(each.topic).set(each.bytes)
            self._metrics.held.labels(each.topic).set(bool(each.held))
            if each.held:
                self._warn(f"topic {each.topic}, kept {each.retention}", each.held)
        if usage.free is not None:
            self._metrics.disk_free.set(usage.free)
        if usage.warning:
            self._warn("disk", usage.warning)

    def _warn(self, subject: str, text: str) -> None:
        now = self._clock()
        if not 0 <= now - self._warned.get(subject, float("-inf")) < WARNING_SECONDS:
            self._warned[subject] = now
            _logger.warning("%s: %s", subject, text)


def pruner(log: Prunable, store: Store, settings: Settings, *, clock: Callable[[], float]) -> Pruner:
    """What prunes this log as the settings say."""
    retentions = {topic: settings.retention_of(topic) for topic in TOPICS}
    return Pruner(log, needs(log, store, settings), retentions, clock=clock, timer=time.monotonic)
