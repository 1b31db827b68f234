"""A log and a store that go away when told to, around real ones."""

import threading
from collections.abc import Mapping, Sequence

from prequel.shared.log.base import (
    Bounds,
    Log,
    LogUnavailable,
    Member,
    Message,
    OffsetOutOfRange,
    Position,
    Reader,
    Record,
)
from prequel.shared.store.base import Fence, Store, StoreUnavailable


class FaultyLog:
    """``away``: nothing works. ``full``: appends fail. ``lost``: the next poll says that its position is gone.

    ``gate``, while not set, holds appends up, and ``confirmed`` the word that they are done. ``appends`` counts them.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self.away = self.full = self.lost = False
        self.gate = threading.Event()
        self.confirmed = threading.Event()
        self.gate.set()
        self.confirmed.set()
        self.appends = 0

    def append(self, messages: Sequence[Message]) -> list[Position]:
        self.check()
        self.appends += 1
        self.gate.wait()
        if self.full:
            raise LogUnavailable("the disk is full")
        positions = self._log.append(messages)
        self.confirmed.wait()
        return positions

    def partitions(self, topic: str) -> int:
        self.check()
        return self._log.partitions(topic)

    def bounds(self, topic: str) -> dict[int, Bounds]:
        self.check()
        return self._log.bounds(topic)

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        self.check()
        return self._log.read(topic, partition, offsets)

    def follow(self, topic: str, positions: Mapping[int, int]) -> Reader:
        self.check()
        return FaultyReader(self, self._log.follow(topic, positions), topic)

    def join(self, group: str, topic: str) -> Member:
        return self._log.join(group, topic)

    def lag(self, group: str, topic: str) -> dict[int, int]:
        return self._log.lag(group, topic)

    def close(self) -> None:
        """The log under it is closed by whoever made it."""

    def check(self) -> None:
        if self.away:
            raise LogUnavailable("the broker is away")


class FaultyReader:
    """A reader that feels the faults of its log."""

    def __init__(self, faulty: FaultyLog, reader: Reader, topic: str) -> None:
        self._faulty, self._reader, self._topic = faulty, reader, topic

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        self._faulty.check()
        if self._faulty.lost and self._topic == "predictions":
            self._faulty.lost = False
            raise OffsetOutOfRange(self._topic, 0, 0, Bounds(5, 9))
        return self._reader.poll(max_records, min(timeout_s, 0.05))

    def positions(self) -> dict[int, int]:
        return self._reader.positions()

    def close(self) -> None:
        self._reader.close()


class FaultyStore:
    """``away``: nothing works."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away = False

    def get(self, key: str) -> bytes | None:
        self._check()
        return self._store.get(key)

    def put(self, key: str, value: bytes) -> None:
        self._check()
        self._store.put(key, value)

    def put_all(self, values: Mapping[str, bytes]) -> None:
        self._check()
        self._store.put_all(values)

    def add_all(self, values: Mapping[str, bytes]) -> dict[str, bytes]:
        self._check()
        return self._store.add_all(values)

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        self._check()
        return self._store.get_all(keys)

    def delete(self, keys: Sequence[str]) -> None:
        self._check()
        self._store.delete(keys)

    def keys(self, prefix: str) -> list[str]:
        self._check()
        return self._store.keys(prefix)

    def keys_with_values(self, prefix: str) -> list[str]:
        self._check()
        return self._store.keys_with_values(prefix)

    def acquire(self, key: str, fence: Fence) -> bytes | None:
        self._check()
        return self._store.acquire(key, fence)

    def swap(self, key: str, fence: Fence, value: bytes, delete: Sequence[str] = ()) -> None:
        self._check()
        self._store.swap(key, fence, value, delete)

    def close(self) -> None:
        """The store under it is closed by whoever made it."""

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("Redis is away")
