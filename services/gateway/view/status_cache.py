"""The statuses that were read last from the store, decoded once for the same bytes."""

import logging
from collections.abc import Callable
from typing import NamedTuple

from pydantic import ValidationError

from prequel.services.gateway.view.partition_statuses import FRESH_SECONDS
from prequel.shared.status import StreamStatus

MAX_CACHED = 10_000
"""Statuses in memory, some kilobytes each. Those of more streams are decoded each time they are asked for."""

_log = logging.getLogger(__name__)


class CachedStatus(NamedTuple):
    """One stream's status as it was in the store at ``at``; ``status`` None: this version cannot read it."""

    at: float
    raw: bytes
    status: StreamStatus | None

    @property
    def position(self) -> str | None:
        return self.status.position if self.status else None


class StatusCache:
    """Changed on the event loop only; ``decode`` may run on any thread, and one call of it per stream at a time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._cached: dict[str, CachedStatus] = {}
        self._unreadable: set[str] = set()
        """Streams whose status was logged as unreadable."""

    def get(self, stream: str) -> CachedStatus | None:
        return self._cached.get(stream)

    def put(self, stream: str, cached: CachedStatus) -> None:
        if stream in self._cached or len(self._cached) < MAX_CACHED:
            self._cached[stream] = cached

    def forget(self, stream: str) -> None:
        self._cached.pop(stream, None)

    def is_fresh(self, stream: str) -> bool:
        cached = self._cached.get(stream)
        return cached is not None and 0 <= self._clock() - cached.at < FRESH_SECONDS

    def age(self, stream: str) -> float:
        """Seconds since the status was read; 0 where there is none."""
        cached = self._cached.get(stream)
        return max(0.0, self._clock() - cached.at) if cached else 0.0

    def decode(self, stream: str, raw: bytes) -> CachedStatus:
        """The same object as before where the bytes are the same: it saves time, and listeners are told of changes
        only. A status that cannot be read is logged once."""
        before = self._cached.get(stream)
        if before and before.raw == raw:
            return CachedStatus(self._clock(), raw, before.status)
        return CachedStatus(self._clock(), raw, self._parse(stream, raw))

    def _parse(self, stream: str, raw: bytes) -> StreamStatus | None:
        try:
            decoded = StreamStatus.model_validate_json(raw)
        except ValidationError as error:
            if stream not in self._unreadable:
                _log.warning("stream %s is not shown: its status in the store cannot be read: %s", stream, error)
            self._unreadable.add(stream)
            return None
        self._unreadable.discard(stream)
        return decoded
