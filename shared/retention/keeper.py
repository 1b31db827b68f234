"""Keeps the log within its retention while a process runs, measures it, and warns before the disk is full."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from prequel.shared.config import Settings
from prequel.shared.log.base import TOPICS, Log, LogUnavailable
from prequel.shared.retention.pruning import PrunableLog, Pruner
from prequel.shared.retention.usage import DiskLog, LogUsage, SizedLog, log_needs, measure_log
from prequel.shared.runtime.disk import DiskSpace
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.base import Store, StoreUnavailable

INTERVAL_SECONDS = 30.0
"""Between two passes, unless the log grows by much before. Each costs some queries; in half a minute nothing fills."""

SCARCE_INTERVAL_SECONDS = 5.0
"""The same while the disk is nearly full and images are refused: they are accepted again this long after records have
become removable."""

SIZE_CHECK_SECONDS = 1.0
"""Between two checks of the files' sizes, which take microseconds: at 100 MB/s they grow by 100 MB in that time."""

MAX_GROWTH_BYTES = 64 * 2**20
GROWTH_PART = 8
"""After this growth the next pass begins at once, or after that of an eighth of the free space or of a topic's limit: a
disk, or a log with a small limit, can fill within one interval."""

MIN_GROWTH_BYTES = 2**20
"""Less growth never is a reason for a pass, however full the disk: examples and positions grow by that in seconds."""

WARNING_SECONDS = 3_600.0
"""Between two equal warnings in the log: often enough to be found, too rare to fill the disk."""

NAME = "retention"

_logger = logging.getLogger(__name__)


class RetentionKeeper:
    """Prunes, measures and warns until it is stopped. ``clock``: seconds since the epoch.

    ``newest`` is the last measurement, for the gateway to show; None before the first.
    """

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
        """Pass after pass, until ``stop``. It goes on after every failure; a bug is shown on /readyz."""
        due = True
        while not stop.is_set() and (due or not self._wait(stop)):
            due = False
            try:
                due = self.one_pass(stop)
                self._health.works(NAME)
            except (LogUnavailable, StoreUnavailable) as error:  # Shown on /readyz by the services that need them.
                self._warn("nothing is pruned or measured", str(error))
            except Exception as error:
                _logger.exception("%s failed and is tried again every %g s", NAME, INTERVAL_SECONDS)
                self._health.waits(NAME, f"failed: {error!r}; tried again every {INTERVAL_SECONDS:g} s")

    def _wait(self, stop: threading.Event) -> bool:
        """Wait until the next pass is due; return whether ``stop`` was set meanwhile."""
        growth, waited = _Growth(self._log, self._settings), 0.0
        while waited < (SCARCE_INTERVAL_SECONDS if growth.scarce else INTERVAL_SECONDS) and not growth.exceeded:
            if stop.wait(SIZE_CHECK_SECONDS):
                return True
            waited += SIZE_CHECK_SECONDS
        return False

    def one_pass(self, stop: threading.Event) -> bool:
        """Prune and measure; return whether there is more to prune. Raises LogUnavailable, StoreUnavailable."""
        unfinished = self._prune(stop) if isinstance(self._log, PrunableLog) else False
        self._show(measure_log(self._log, self._store, self._settings, self._clock()))
        return unfinished

    def _prune(self, stop: threading.Event) -> bool:
        assert isinstance(self._log, PrunableLog)
        pruned = pruner(self._log, self._store, self._settings, clock=self._clock).run(stop)
        for topic, count in pruned.records.items():
            self._metrics.pruned.labels(topic).inc(count)
        return pruned.unfinished

    def _show(self, usage: LogUsage) -> None:
        self.newest = usage
        for each in usage.topics:
            if each.bytes is not None:
                self._metrics.log_bytes.labels(each.topic).set(each.bytes)
            if each.age_seconds is not None:
                self._metrics.log_age.labels(each.topic).set(each.age_seconds)
            if each.limit_bytes is not None:
                self._metrics.log_limit.labels(each.topic).set(each.limit_bytes)
            self._metrics.retention_held.labels(each.topic).set(bool(each.kept_because))
            if each.kept_because:
                self._warn(f"topic {each.topic}, kept {each.retention}", each.kept_because)
        if usage.free is not None:
            self._metrics.disk_free.set(usage.free)
        if usage.warning:
            self._warn("disk", usage.warning)

    def _warn(self, subject: str, text: str) -> None:
        now = self._clock()
        if not 0 <= now - self._warned.get(subject, float("-inf")) < WARNING_SECONDS:
            self._warned[subject] = now
            _logger.warning("%s: %s", subject, text)


class _Growth:
    """How much the embedded log has grown since this was made, and what is free on its disk.

    Takes microseconds and raises nothing: if the log is unavailable, the next pass reports it.
    """

    def __init__(self, log: Log, settings: Settings) -> None:
        self._log = log
        limits = [limit for topic in TOPICS if (limit := settings.retention_of(topic).bytes) is not None]
        self._max_growth = min([MAX_GROWTH_BYTES, *(limit // GROWTH_PART for limit in limits)])
        self._size_before = self._size()

    @property
    def scarce(self) -> bool:
        space = self._space()
        return space is not None and space.scarce

    @property
    def exceeded(self) -> bool:
        space, size = self._space(), self._size()
        if self._size_before is None or size is None or space is None:
            return False
        return size - self._size_before > min(self._max_growth, max(space.free // GROWTH_PART, MIN_GROWTH_BYTES))

    def _size(self) -> int | None:
        if not (isinstance(self._log, SizedLog) and isinstance(self._log, DiskLog)):
            return None
        with suppress(LogUnavailable):
            return sum(self._log.sizes(TOPICS).values())
        return None

    def _space(self) -> DiskSpace | None:
        with suppress(LogUnavailable):
            return self._log.disk() if isinstance(self._log, DiskLog) else None
        return None


def pruner(log: PrunableLog, store: Store, settings: Settings, *, clock: Callable[[], float]) -> Pruner:
    """A pruner of this log by the settings."""
    retentions = {topic: settings.retention_of(topic) for topic in TOPICS}
    return Pruner(log, log_needs(log, store, settings), retentions, clock=clock, timer=time.monotonic)
