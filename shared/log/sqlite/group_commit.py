"""Appends to one topic's file: callers that come together share one transaction, and so one sync of the disk."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from prequel.shared.log.base import LogUnavailable, Position
from prequel.shared.log.sqlite.encoding import EncodedMessage
from prequel.shared.log.sqlite.reserve import DiskReserve
from prequel.shared.sqlite.database import Connection, Database

TRANSACTION_BYTES = 16 * 2**20
"""One transaction takes no further callers beyond this: about as much as the WAL holds before it is copied into the
file, and a second's work of a slow disk, which every later caller waits for."""


class _Append:
    """One caller's messages, and the outcome."""

    def __init__(self, messages: Sequence[EncodedMessage]) -> None:
        self.messages, self.size = messages, sum(message.size for message in messages)
        self.positions: list[Position] = []
        self.failure: BaseException | None = None
        self.done = False


class GroupCommit:
    """Thread-safe. ``writer`` is the lock of whoever writes to the file in this process; pruning takes it too."""

    def __init__(
        self,
        database: Database,
        partitions: int,
        *,
        reserve: DiskReserve,
        clock: Callable[[], float],
        notify: Callable[[], None],
    ) -> None:
        """``clock``: seconds since the epoch; ``notify`` is called after every transaction."""
        self._database, self._partitions, self._reserve = database, partitions, reserve
        self._clock, self._notify = clock, notify
        self._waiting: deque[_Append] = deque()
        self.writer = threading.Lock()

    def append(self, messages: Sequence[EncodedMessage]) -> list[Position]:
        """Append all or none; durable on return. Raises LogUnavailable.

        1. The caller puts its messages into the queue, *before* it waits for the lock: whoever has the lock may write
           them.
        2. It takes the lock, which it gets after the transaction in progress has been synced.
        3. If another thread wrote its messages meanwhile, there is nothing to do. Else it writes all that wait, its
           own among them: under load, one sync then serves many callers, and alone, nobody waits for company.
        """
        own = _Append(messages)
        self._waiting.append(own)
        with self.writer:
            while not own.done:
                self._write_waiting()
        if own.failure:
            raise LogUnavailable(str(own.failure)) from own.failure
        return own.positions

    def _write_waiting(self) -> None:
        """Write what waits, up to about TRANSACTION_BYTES, in one transaction."""
        batch: list[_Append] = []
        size = 0
        while self._waiting and size < TRANSACTION_BYTES:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        failure: BaseException | None = LogUnavailable("the append was interrupted: it may or may not be in the log")
        try:
            self._reserve.claim(size, sum(len(append.messages) for append in batch))
            with self._database.writing(size) as connection:
                self._insert(connection, batch)
            failure = None
        except LogUnavailable as error:
            failure = error
        finally:  # Also after KeyboardInterrupt: nobody may wait for ever for an outcome.
            for append in batch:
                append.failure, append.done = failure, True
        self._notify()

    def _insert(self, connection: Connection, batch: Sequence[_Append]) -> None:
        ends, times = self._ends(connection)
        now = self._clock()
        rows: dict[int, list[tuple[object, ...]]] = {}
        for append in batch:
            append.positions = []
            for partition, key, headers, value in append.messages:
                if partition is None:
                    partition = min(ends, key=ends.__getitem__)
                offset = ends[partition]
                ends[partition] += 1
                append.positions.append(Position(partition, offset))
                # The time never goes back within a partition, though the clock may: retention cuts by it.
                rows.setdefault(partition, []).append((offset, max(now, times[partition]), key, headers, value))
        for partition, values in rows.items():
            connection.executemany(f"INSERT INTO p{partition} VALUES (?, ?, ?, ?, ?)", values)

    def _ends(self, connection: Connection) -> tuple[dict[int, int], dict[int, float]]:
        """Partition -> next offset, and partition -> when the last record was appended."""
        ends, times = {}, {}
        for partition in range(self._partitions):
            query = f"SELECT offset + 1, appended_at FROM p{partition} ORDER BY offset DESC LIMIT 1"
            ends[partition], times[partition] = connection.execute(query).fetchone() or (0, 0.0)
        return ends, times
