"""Whether a partition has room for one more stream, as its learner says; asked only for unknown streams."""

import asyncio

from prequel.services.gateway.http.problems import Problem
from prequel.services.gateway.view.statuses import StreamStatuses
from prequel.shared.log.base import Position
from prequel.shared.log.partitioner import partition_for
from prequel.shared.runtime.deadlines import STORE_READ_S
from prequel.shared.status import PartitionStatus
from prequel.shared.store.base import StoreUnavailable

MAX_NAMES = 100_000
"""Names of streams that are known to exist, some 10 MB. For any other stream each image asks the store."""


class StreamCapacity:
    """Call it on the event loop only. If the store does not answer, nothing is refused: the learner decides then."""

    def __init__(self, statuses: StreamStatuses) -> None:
        self._statuses = statuses
        self._existing: set[str] = set()
        self._deletions: dict[int, Position] = {}
        """Of each partition, the newest command that deleted a stream and so made room."""

    async def require_room(self, stream: str) -> None:
        """Raises Problem 409 where the stream is new and its partition is full."""
        if stream in self._existing:
            return
        try:
            async with asyncio.timeout(STORE_READ_S):
                if await self._statuses.exists(stream):
                    self._remember(stream)
                    return
                reason = await self._full_reason(stream)
        except (StoreUnavailable, TimeoutError):
            return
        if reason:
            raise Problem(
                409,
                f"there is no room for a new stream {stream}: {reason}. Raise that setting of the learners; "
                "existing streams are not affected",
            )

    def stream_deleted(self, stream: str, command: Position) -> None:
        """A deleted stream needs room again when it is created again, and leaves its room to others until then."""
        self._existing.discard(stream)
        self._deletions[command.partition] = max(command, self._deletions.get(command.partition, command))

    def _remember(self, stream: str) -> None:
        if len(self._existing) < MAX_NAMES:
            self._existing.add(stream)

    async def _full_reason(self, stream: str) -> str:
        """Why its partition takes no more streams; empty where it does, or nothing is known of it."""
        first = await self._statuses.partitions.get(0)  # every learner publishes how many partitions there are
        if first is None:
            return ""
        number = partition_for(stream.encode(), first.partitions)
        own = first if number == 0 else await self._statuses.partitions.get(number)
        return own.full if own and not self._is_outdated(own) else ""

    def _is_outdated(self, status: PartitionStatus) -> bool:
        """Whether it was published before the newest deletion in its partition: then there is room again."""
        deletion = self._deletions.get(status.partition)
        return deletion is not None and (status.deleted is None or Position.parse(status.deleted) < deletion)
