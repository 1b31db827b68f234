"""Follows one topic on a thread of its own and hands what it decodes to the event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, Protocol, TypeVar

from prequel.shared.log.base import Bounds, Log, LogUnavailable, OffsetOutOfRange, Record
from prequel.shared.runtime.deadlines import EVENT_LOOP_S, FOLLOW_BACKOFF, FOLLOWER_CLOSE_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.supervisor import ReportWorking, Supervisor

BATCH_RECORDS = 500
POLL_SECONDS = 0.1

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
        self._supervisor = Supervisor(health, backoff=FOLLOW_BACKOFF)
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
        await asyncio.to_thread(self._thread.join, FOLLOWER_CLOSE_S)

    def _run(self) -> None:
        self._supervisor.run(self._name, self._follow, self._stop, LogUnavailable, OffsetOutOfRange)

    def _follow(self, working: ReportWorking) -> None:
        """Go on where it was after the log was away; after anything else, read anew what there is."""
        if not self._positions:
            self._begin()
        reader = self._log.follow(self._topic, self._positions)
        try:
            while not self._stop.is_set():
                self._hand_over(reader.poll(BATCH_RECORDS, POLL_SECONDS), reader.positions(), working)
        except LogUnavailable:
            raise
        except Exception:
            self._positions = {}
            raise
        finally:
            reader.close()

    def _hand_over(self, records: Sequence[Record], positions: dict[int, int], working: ReportWorking) -> None:
        current = all(positions[partition] >= end for partition, end in self._ends.items())
        if records or current is not self._current:
            self._on_loop(self._taker.take(self._decode(records), current))
        self._positions, self._current = positions, current
        if current:
            working()

    def _begin(self) -> None:
        bounds = self._log.bounds(self._topic)
        self._ends = {partition: held.end for partition, held in bounds.items()}
        self._current = False
        self._on_loop(self._taker.begin())
        self._positions = {partition: self._first(held) for partition, held in bounds.items()}

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        if self._stop.is_set():  # The log hung until now: the loop may have gone meanwhile.
            work.close()
            raise LogUnavailable("the gateway ends")
        asyncio.run_coroutine_threadsafe(work, self._loop).result(EVENT_LOOP_S)

    def _first(self, held: Bounds) -> int:
        return max(held.begin, held.end - self._depth)
