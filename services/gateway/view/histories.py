"""Who changed a stream: its history, as its learner knows it, with every command that was answered here."""

import asyncio
import random

from prequel.services.gateway.blocking_calls import BlockingCalls
from prequel.services.gateway.view.read_your_writes import ReadYourWrites, includes
from prequel.shared.queries import Queries
from prequel.shared.runtime.deadlines import QUERY_S, READ_YOUR_WRITES_BACKOFF, READ_YOUR_WRITES_S
from prequel.shared.status import StreamHistory

THREADS = 2
"""A learner that hangs keeps both, for QUERY_S; one that works answers in a millisecond."""


class StreamHistories:
    """Call it on the event loop only; the learner is asked on threads."""

    def __init__(self, queries: Queries, read_your_writes: ReadYourWrites) -> None:
        self._queries, self._read_your_writes = queries, read_your_writes
        self._calls = BlockingCalls("gateway-histories", THREADS, QUERY_S)

    async def get(self, stream: str) -> StreamHistory:
        """The history, including every event that a client was told has taken effect.

        Waits READ_YOUR_WRITES_S at most for a learner that has just taken the stream over, then answers what it says.
        Raises UnknownStream, LearnerUnavailable, StoreUnavailable, CallTimeout.
        """
        required = self._read_your_writes.required(stream)
        loop = asyncio.get_running_loop()
        deadline, tries = loop.time() + READ_YOUR_WRITES_S, 0
        while True:
            history = await self._calls.run(lambda: self._queries.history(stream))
            if includes(history.position, required) or loop.time() > deadline:
                return history
            tries += 1
            await asyncio.sleep(READ_YOUR_WRITES_BACKOFF.pause(tries, random.random()))

    def close(self) -> None:
        self._calls.close()
