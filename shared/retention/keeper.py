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
"""Between two looks, unless the log grows by much before: looking costs some queries of it."""

SCARCE_INTERVAL_SECONDS = 5.0
"""The same while the disk is nearly full and images are refused: they come again this long after what may go has."""

GLANCE_SECONDS = 1.0
"""Between two glances at the files' sizes, which cost microseconds: at 100 MB/s they are 100 MB larger by then."""

MAX_GROWTH_BYTES = 64 * 2**20
GROWTH_PART = 8
"""Of this the next look does not wait, nor of an eighth of what is free or of what a topic may have: a disk, or a log
that was given little, can fill within one interval."""

MIN_GROWTH_BYTES = 2**20
"""So much growth is no reason for a look, on the fullest disk: examples and positions grow by that in some seconds."""

WARNING_SECONDS = 3_600.0
"""Between two warnings of one kind in the log: often enough to be found, too rare to fill the disk by itself."""

NAME = "retention"

_logger = logging.getLogger(__name__)


class RetentionKeeper:
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
        due = True
        while not stop.is_set() and (due or not self._rest(stop)):
            due = False
            try:
                due = self.look(stop)
                self._health.works(NAME)
            except (LogUnavailable, StoreUnavailable) as error:  # Whoever needs them says so on /readyz.
                self._warn("nothing is pruned or measured", str(error))
            except Exception as error:
                _logger.exception("%s failed; it is tried again every %g s", NAME, INTERVAL_SECONDS)
                self._health.waits(NAME, f"failed: {error!r}; tried again every {INTERVAL_SECONDS:g} s")

    def _rest(self, stop: threading.Event) -> bool:
        """Wait until the next look is due; whether it is ``stop`` that came."""
        growth, rested = _Growth(self._log, self._settings), 0.0
        while rested < (SCARCE_INTERVAL_SECONDS if growth.scarce else INTERVAL_SECONDS) and not growth.much:
            if stop.wait(GLANCE_SECONDS):
                return True
            rested += GLANCE_SECONDS
        return False

    def look(self, stop: threading.Event) -> bool:
        """Prune for a while and measure; whether there is more to prune. Raises LogUnavailable, StoreUnavailable."""
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
    """How the embedded log grows from now on, and what its disk has left. Blocks for microseconds, and never raises:
    of a log that is away the next look has more to say.
    """

    def __init__(self, log: Log, settings: Settings) -> None:
        self._log = log
        limits = [limit for topic in TOPICS if (limit := settings.retention_of(topic).bytes) is not None]
        self._most = min([MAX_GROWTH_BYTES, *(limit // GROWTH_PART for limit in limits)])
        self._began = self._size()

    @property
    def scarce(self) -> bool:
        room = self._room()
        return room is not None and room.scarce

    @property
    def much(self) -> bool:
        room, size = self._room(), self._size()
        if self._began is None or size is None or room is None:
            return False
        return size - self._began > min(self._most, max(room.free // GROWTH_PART, MIN_GROWTH_BYTES))

    def _size(self) -> int | None:
        if not (isinstance(self._log, SizedLog) and isinstance(self._log, DiskLog)):
            return None
        with suppress(LogUnavailable):
            return sum(self._log.sizes(TOPICS).values())
        return None

    def _room(self) -> DiskSpace | None:
        with suppress(LogUnavailable):
            return self._log.disk() if isinstance(self._log, DiskLog) else None
        return None


def pruner(log: PrunableLog, store: Store, settings: Settings, *, clock: Callable[[], float]) -> Pruner:
    """What prunes this log as the settings say."""
    retentions = {topic: settings.retention_of(topic) for topic in TOPICS}
    return Pruner(log, log_needs(log, store, settings), retentions, clock=clock, timer=time.monotonic)
