"""Follows one topic on a thread of its own and hands what it decodes to the event loop."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from shared.health import Health
from shared.log import Bounds, Log, LogUnavailable, OffsetOutOfRange, Record

BATCH_RECORDS = 500
POLL_SECONDS = 0.1
RETRY_SECONDS = 1.0

Decoded = TypeVar("Decoded")
Taken = TypeVar("Taken", contravariant=True)


class Taker(Protocol[Taken]):
    """What happens to the records; neither call may block."""

    async def begin(self) -> None:
        """Reading starts from scratch: forget what was taken before."""
        ...

    async def take(self, decoded: Sequence[Taken], current: bool) -> None:
        """Take in what comes next; ``current`` once all is there that the log held when reading began."""
        ...


class Follower(Generic[Decoded]):
    """Reads every partition from ``depth`` records before its end on, until closed, however often the log goes away.

    ``decode`` runs on the thread, ``taker`` on the event loop. One is waited for before the next: nothing piles up.
    """

    def __init__(
        self,
        log: Log,
        topic: str,
        depth: int,
        health: Health,
        decode: Callable[[Sequence[Record]], list[Decoded]],
        taker: Taker[Decoded],
    ) -> None:
        self._log, self._topic, self._depth, self._health = log, topic, depth, health
        self._decode, self._taker = decode, taker
        self._name = f"gateway: {topic}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"gateway-{topic}", daemon=True)
        self._positions: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._current = False

    def start(self) -> None:
        """To be called on the event loop that is to take the records."""
        self._loop = asyncio.get_running_loop()
        self._health.waits(self._name, f"reading the newest {self._topic}; this takes seconds")
        self._thread.start()

    async def close(self) -> None:
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except LogUnavailable as error:
                self._health.waits(self._name, f"{error}; trying again every {RETRY_SECONDS:g} s")
                self._stop.wait(RETRY_SECONDS)
            except OffsetOutOfRange as error:
                self._health.waits(self._name, f"{error}; reading anew what there is")
                self._positions = {}
            except BaseException as error:
                self._health.fails(self._name, f"stopped: {error!r}")
                raise

    def _follow(self) -> None:
        if not self._positions:
            self._begin()
        reader = self._log.follow(self._topic, self._positions)
        try:
            while not self._stop.is_set():
                self._hand_over(reader.poll(BATCH_RECORDS, POLL_SECONDS), reader.positions())
        finally:
            reader.close()

    def _hand_over(self, records: Sequence[Record], positions: dict[int, int]) -> None:
        current = all(positions[partition] >= end for partition, end in self._ends.items())
        if records or current is not self._current:
            asyncio.run_coroutine_threadsafe(self._taker.take(self._decode(records), current), self._loop).result()
        self._positions, self._current = positions, current
        if current:
            self._health.works(self._name)

    def _begin(self) -> None:
        bounds = self._log.bounds(self._topic)
        self._ends = {partition: held.end for partition, held in bounds.items()}
        self._current = False
        asyncio.run_coroutine_threadsafe(self._taker.begin(), self._loop).result()
        self._positions = {partition: self._first(held) for partition, held in bounds.items()}

    def _first(self, held: Bounds) -> int:
        return max(held.begin, held.end - self._depth)
