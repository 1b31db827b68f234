"""The learners' status of each partition, from the store, at most a quarter of a second old, or the newest known."""

from collections.abc import Callable

from pydantic import ValidationError

from prequel.services.gateway.view.store_reads import StoreReads
from prequel.shared import status
from prequel.shared.status import PartitionStatus, SnapshotStatus, StreamStatus
from prequel.shared.store.base import StoreUnavailable

FRESH_SECONDS = 0.25
"""As often as learners publish: read more often, the store would return the same again."""


class PartitionStatuses:
    """Call it on the event loop only."""

    def __init__(self, store: StoreReads, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._cached: dict[int, tuple[float, PartitionStatus | None]] = {}
        """When it was read, and the status; None where there is none, or one of another version."""

    async def get(self, number: int) -> PartitionStatus | None:
        """None where the store has none that can be read."""
        cached = self._cached.get(number)
        if cached is None or not 0 <= self._clock() - cached[0] < FRESH_SECONDS:
            try:
                raw = await self._store.get(status.partition_key(number))
                cached = self._clock(), PartitionStatus.model_validate_json(raw or b"")
            except ValidationError:
                cached = self._clock(), None
            except StoreUnavailable:
                return cached[1] if cached else None
            self._cached[number] = cached
        return cached[1]

    def snapshot(self, stream: StreamStatus, number: int) -> SnapshotStatus | None:
        """The newest snapshot known of a stream: the partition's, which is never older than the one in its status."""
        cached = self._cached.get(number)
        return cached[1].snapshot if cached and cached[1] else stream.snapshot
