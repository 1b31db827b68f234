"""Follows one topic on a thread of its own and passes its decoded records to the event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, Protocol, TypeVar

from prequel.shared.log.base import Bounds, Log, LogUnavailable, OffsetOutOfRange, Record
from prequel.shared.runtime.deadlines import EVENT_LOOP_S, FOLLOW_BACKOFF, FOLLOWER_CLOSE_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.supervisor import ReportWorking, Supervisor

BATCH_RECORDS = 500
"""The event loop takes in as many at once, in some milliseconds; with more, requests would wait for it."""
POLL_SECONDS = 0.1
"""How soon the thread notices that it should stop; records wake it at once."""

Decoded = TypeVar("Decoded")
Handled = TypeVar("Handled", contravariant=True)


class RecordHandler(Protocol[Handled]):
    """Takes in the records, on the event loop; neither call may block."""

    async def restart(self) -> None:
        """Reading starts again from an older position: forget all records handled so far."""
        ...

    async def handle(self, decoded: Sequence[Handled], current: bool) -> None:
        """The next records. ``current`` once every record is there that the log had when reading started."""
        ...


class TopicFollower(Generic[Decoded]):
    """Reads every partition from ``depth`` records before its end on, until closed, whatever happens to the log.

    ``decode`` runs on the follower's thread, ``handler`` on the event loop. The thread waits for the handler before it
    reads on, so that nothing queues up between them.
    """

    def __init__(
        self,
        log: Log,
        topic: str,
        *,
        depth: int,
        health: Health,
        decode: Callable[[Sequence[Record]], list[Decoded]],
        handler: RecordHandler[Decoded],
    ) -> None:
        self._log, self._topic, self._depth, self._health = log, topic, depth, health
        self._decode, self._handler = decode, handler
        self._name = f"gateway: {topic}"
        self._supervisor = Supervisor(health, backoff=FOLLOW_BACKOFF)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"gateway-{topic}", daemon=True)
        # Only the thread uses these:
        self._positions: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._current = False

    def start(self) -> None:
        """Call it on the event loop that is to handle the records."""
        self._loop = asyncio.get_running_loop()
        self._health.waits(self._name, f"reading the newest {self._topic}; this takes seconds")
        self._thread.start()

    async def close(self) -> None:
        self._stop.set()
        await asyncio.to_thread(self._thread.join, FOLLOWER_CLOSE_S)

    def _run(self) -> None:
        self._supervisor.run(self._name, self._follow, self._stop, LogUnavailable, OffsetOutOfRange)

    def _follow(self, working: ReportWorking) -> None:
        """After LogUnavailable, go on at the same positions. After any other error (records lost or invalid), start
        again: the handler's view may be incomplete."""
        if not self._positions:
            self._restart()
        reader = self._log.follow(self._topic, self._positions)
        try:
            while not self._stop.is_set():
                self._pass_on(reader.poll(BATCH_RECORDS, POLL_SECONDS), reader.positions(), working)
        except LogUnavailable:
            raise
        except Exception:
            self._positions = {}
            raise
        finally:
            reader.close()

    def _pass_on(self, records: Sequence[Record], positions: dict[int, int], working: ReportWorking) -> None:
        current = all(positions[partition] >= end for partition, end in self._ends.items())
        if records or current is not self._current:
            self._on_loop(self._handler.handle(self._decode(records), current))
        # Only after the handler: records that it did not take are read again.
        self._positions, self._current = positions, current
        if current:
            working()

    def _restart(self) -> None:
        bounds = self._log.bounds(self._topic)
        self._ends = {partition: partition_bounds.end for partition, partition_bounds in bounds.items()}
        self._current = False
        self._on_loop(self._handler.restart())
        self._positions = {
            partition: self._start_offset(partition_bounds) for partition, partition_bounds in bounds.items()
        }

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        if self._stop.is_set():  # The log hung until now, and the event loop may have ended meanwhile.
            work.close()
            raise LogUnavailable("the gateway is stopping")
        asyncio.run_coroutine_threadsafe(work, self._loop).result(EVENT_LOOP_S)

    def _start_offset(self, bounds: Bounds) -> int:
        return max(bounds.begin, bounds.end - self._depth)
