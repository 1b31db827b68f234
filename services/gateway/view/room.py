"""Whether there is room for one more stream, as the learners say: asked only for streams that nobody knows."""

import asyncio

from prequel.services.gateway.http.problems import Problem
from prequel.services.gateway.view.statuses import Statuses
from prequel.shared.log.base import Position
from prequel.shared.log.partitioner import partition_for
from prequel.shared.runtime.deadlines import STORE_READ_S
from prequel.shared.status import PartitionStatus
from prequel.shared.store.base import StoreUnavailable

KNOWN = 100_000
"""Names remembered as existing; more are looked up again."""


class Room:
    """For the event loop only. Where the store does not answer nothing is refused: the learner has the last word."""

    def __init__(self, statuses: Statuses) -> None:
        self._statuses = statuses
        self._known: set[str] = set()
        self._ends: dict[int, Position] = {}
        """Of each partition, the newest command that deleted a stream and so made room."""

    async def check(self, stream: str) -> None:
        """Raises Problem 409 where the stream is new and its partition takes no more."""
        if stream in self._known:
            return
        try:
            async with asyncio.timeout(STORE_READ_S):
                if await self._statuses.exists(stream):
                    self._remember(stream)
                    return
                full = await self._full(stream)
        except (StoreUnavailable, TimeoutError):
            return
        if full:
            raise Problem(
                409,
                f"there is no room for a new stream {stream}: {full}. Raise that setting of the learners; the streams "
                "that there are go on",
            )

    def _remember(self, stream: str) -> None:
        if len(self._known) < KNOWN:
            self._known.add(stream)

    def ended(self, stream: str, command: Position) -> None:
        """A stream that was deleted may not find room again; others may."""
        self._known.discard(stream)
        self._ends[command.partition] = max(command, self._ends.get(command.partition, command))

    async def _full(self, stream: str) -> str:
        first = await self._statuses.partition(0)
        if first is None:
            return ""
        number = partition_for(stream.encode(), first.partitions)
        own = first if number == 0 else await self._statuses.partition(number)
        return own.full if own and not self._older(own) else ""

    def _older(self, told: PartitionStatus) -> bool:
        """Whether it does not know yet of a stream that was deleted."""
        end = self._ends.get(told.partition)
        return end is not None and (told.deleted is None or Position.parse(told.deleted) < end)
