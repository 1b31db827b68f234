"""Reads the embedded log from explicit positions, and waits for what this process or another appends."""

import time
from collections.abc import Mapping

from prequel.shared.log.base import LogUnavailable, Record
from prequel.shared.log.sqlite.topic import Topic
from prequel.shared.runtime.deadlines import SQLITE_POLL_MAX_S, SQLITE_POLL_MIN_S


class SqliteReader:
    """Reads a topic from explicit positions (see shared.log.base.Reader)."""

    def __init__(self, topic: Topic, positions: Mapping[int, int], *, max_bytes: int) -> None:
        self._topic, self._max_bytes = topic, max_bytes
        self._positions = dict(positions)
        self._unchecked = set(positions)
        self._turn = 0
        self._last_record = time.monotonic()
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self._topic.bell.rings
            records = self.take(max_records)
            if records or time.monotonic() >= deadline:
                return records
            self.wait(seen, deadline)

    def take(self, max_records: int) -> list[Record]:
        """What is there now; each time another partition comes first, so that none starves."""
        if self._closed:
            raise LogUnavailable(f"this reader of {self._topic.name} is closed")
        records: list[Record] = []
        reached: dict[int, int] = {}
        size = 0
        for partition in self._in_turn():
            if len(records) >= max_records or size >= self._max_bytes:
                break
            taken = self._take(partition, max_records - len(records), self._max_bytes - size)
            if taken:
                reached[partition] = taken[-1].offset + 1
                size += sum([len(record.value) for record in taken])
                records += taken
        if records:
            self._positions |= reached  # Only now: had a later partition failed, all are read again.
            self._last_record = time.monotonic()
        return records

    def _in_turn(self) -> list[int]:
        partitions = sorted(self._positions)
        self._turn += 1
        first = self._turn % max(len(partitions), 1)
        return partitions[first:] + partitions[:first]

    def _take(self, partition: int, most: int, most_bytes: int) -> list[Record]:
        offset = self._positions[partition]
        if partition in self._unchecked:
            self._topic.check(partition, offset)
            self._unchecked.discard(partition)
        return self._topic.take(partition, offset, most, most_bytes)

    def wait(self, seen: int, deadline: float) -> None:
        """Until the bell rings in this process, or it is time to look for what other processes wrote.

        Looks every millisecond after a record and, so that an idle system sleeps, ever less often: after five seconds
        every 50 ms, which only the first record from another process then waits for.
        """
        now = time.monotonic()
        pause = min(max((now - self._last_record) / 100, SQLITE_POLL_MIN_S), SQLITE_POLL_MAX_S)
        self._topic.bell.wait(seen, max(min(pause, deadline - now), 0.0))

    def seek(self, partition: int, offset: int) -> None:
        self._positions[partition] = offset
        self._unchecked.add(partition)

    def drop(self, partition: int) -> None:
        self._positions.pop(partition, None)

    def positions(self) -> dict[int, int]:
        return dict(self._positions)

    def close(self) -> None:
        self._closed = True
