"""Reads the embedded log from explicit positions, and waits for what this process or another appends."""

import time
from collections.abc import Mapping

from prequel.shared.log.base import LogUnavailable, Record
from prequel.shared.log.sqlite.topic import Topic
from prequel.shared.runtime.deadlines import SQLITE_POLL_MAX_S, SQLITE_POLL_MIN_S

IDLE_PART = 100
"""The interval between two looks is such a part of the time since the last record came: 1 % late at most."""


class SqliteReader:
    """Reads a topic from explicit positions (see shared.log.base.Reader)."""

    def __init__(self, topic: Topic, positions: Mapping[int, int], *, max_bytes: int) -> None:
        """``max_bytes`` of values in one poll, but for a single larger record."""
        self._topic, self._max_bytes = topic, max_bytes
        self._positions = dict(positions)
        self._unchecked = set(positions)
        """Partitions whose position has not been compared with the log's bounds since it was set."""
        self._rotation = 0
        self._last_record_at = time.monotonic()
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        while True:
            seen_count = self._topic.wakeup.count
            records = self.read_available(max_records)
            if records or time.monotonic() >= deadline:
                return records
            self.wait(seen_count, deadline)

    def read_available(self, max_records: int) -> list[Record]:
        """What is there now, without waiting. Raises as ``poll``."""
        if self._closed:
            raise LogUnavailable(f"this reader of {self._topic.name} is closed")
        records: list[Record] = []
        new_positions: dict[int, int] = {}
        size = 0
        for partition in self._rotated_partitions():
            if len(records) >= max_records or size >= self._max_bytes:
                break
            batch = self._read(partition, max_records - len(records), self._max_bytes - size)
            if batch:
                new_positions[partition] = batch[-1].offset + 1
                size += sum([len(record.value) for record in batch])
                records += batch
        if records:
            self._positions |= new_positions  # Only now: had a later partition failed, all would be read again.
            self._last_record_at = time.monotonic()
        return records

    def _rotated_partitions(self) -> list[int]:
        """Each time another one first, so that a partition that always has records does not starve the others."""
        partitions = sorted(self._positions)
        self._rotation += 1
        first = self._rotation % max(len(partitions), 1)
        return partitions[first:] + partitions[:first]

    def _read(self, partition: int, max_records: int, max_bytes: int) -> list[Record]:
        offset = self._positions[partition]
        if partition in self._unchecked:
            self._topic.check(partition, offset)
            self._unchecked.discard(partition)
        return self._topic.read_from(partition, offset, max_records=max_records, max_bytes=max_bytes)

    def wait(self, seen_count: int, deadline: float) -> None:
        """Until something happens in this process, or it is time to look for what other processes appended.

        SQLite does not notify other processes, so they look: every millisecond while records come and, so that an
        idle system sleeps, less and less often afterwards; after five seconds every 50 ms, by which only the first
        record from another process is then late.
        """
        now = time.monotonic()
        pause = min(max((now - self._last_record_at) / IDLE_PART, SQLITE_POLL_MIN_S), SQLITE_POLL_MAX_S)
        self._topic.wakeup.wait(seen_count, max(min(pause, deadline - now), 0.0))

    def seek(self, partition: int, offset: int) -> None:
        """Read a partition, also one that was not read before, from ``offset`` on."""
        self._positions[partition] = offset
        self._unchecked.add(partition)

    def remove(self, partition: int) -> None:
        """Do not read the partition any more."""
        self._positions.pop(partition, None)

    def positions(self) -> dict[int, int]:
        return dict(self._positions)

    def close(self) -> None:
        self._closed = True
