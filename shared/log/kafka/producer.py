"""Appends to Kafka: every acknowledgement checked, bytes in flight bounded, the client replaced after any error."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from prequel.shared.log.base import LogUnavailable, Message, Position, RecordTooLarge, partition_for
from prequel.shared.log.kafka.client import KafkaCluster

WINDOW_BYTES = 8 * 2**20
"""Sent but not acknowledged, at most, for one call of append; the client itself knows no limit."""

MOST_APPENDS = 8
"""Calls of append at one time; more wait."""

BATCH_BYTES, HEADER_BYTES = 100, 12
"""What the broker counts on top: a batch of one record, and the lengths of each header (at most)."""


def record_bytes(message: Message) -> int:
    """The size that the broker compares with a topic's max.message.bytes, or a little more."""
    headers = sum(len(name.encode()) + len(value) + HEADER_BYTES for name, value in message.headers)
    return BATCH_BYTES + len(message.key or b"") + len(message.value) + headers


class KafkaProducers:
    """The one producer of a log, shared by its threads and replaced by a new one after any error.

    After an error the old one is torn down at once: what it had not sent must not reach the log later, behind
    something newer.
    """

    def __init__(self, cluster: KafkaCluster, partitions: Callable[[str], int], limit: Callable[[str], int]) -> None:
        """``partitions`` and ``limit`` (bytes of a record) of a topic; both are asked for every message."""
        self._cluster, self._partitions, self._limit = cluster, partitions, limit
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MOST_APPENDS)
        self._producer: Any = None
        self._closed = False
        self._turns = itertools.count()

    def append(self, messages: Sequence[Message]) -> list[Position]:
        """See shared.log.base.Log."""
        targets = [(message, self._partition(message), self._size(message)) for message in messages]
        if not targets:
            return []
        with self._slot():
            producer = self._take()
            try:
                with self._cluster.translated(f"appending to {' and '.join(sorted({m.topic for m in messages}))}"):
                    return self._send(producer, targets)
            except BaseException:
                self._give_up(producer)
                raise

    def _partition(self, message: Message) -> int:
        count = self._partitions(message.topic)
        if message.partition is not None:
            if not 0 <= message.partition < count:
                raise ValueError(f"{message.topic} has no partition {message.partition}, only {count}")
            return message.partition
        return next(self._turns) % count if message.key is None else partition_for(message.key, count)

    def _size(self, message: Message) -> int:
        size, limit = record_bytes(message), self._limit(message.topic)
        if size > limit:
            raise RecordTooLarge(
                f"a record of {size:,} bytes is larger than topic {message.topic} takes ({limit:,}); "
                "raise its max.message.bytes, see `prequel topics`"
            )
        return size

    def _send(self, producer: Any, targets: Sequence[tuple[Message, int, int]]) -> list[Position]:
        """Send all; never let more than the window wait for its acknowledgement."""
        positions: list[Position] = []
        flying: deque[tuple[Any, int]] = deque()
        in_flight = 0
        for message, partition, size in targets:
            while flying and in_flight + size > WINDOW_BYTES:
                future, landed = flying.popleft()
                positions.append(self._acknowledged(future))
                in_flight -= landed
            future = producer.send(message.topic, message.value, message.key, list(message.headers), partition)
            flying.append((future, size))
            in_flight += size
        self._cluster.flush(producer)  # not to wait for the linger
        positions += [self._acknowledged(future) for future, _ in flying]
        return positions

    def _acknowledged(self, future: Any) -> Position:
        metadata = (
            future.value if future.succeeded() else future.get(self._cluster.delivery_s + self._cluster.timeout_s)
        )
        if metadata.offset < 0:
            raise LogUnavailable("the record is in the log, but Kafka has forgotten where: append it again")
        return Position(metadata.partition, metadata.offset)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """One of MOST_APPENDS; raises LogUnavailable where all of them wait for brokers that do not answer."""
        if not self._slots.acquire(timeout=self._cluster.delivery_s):
            raise LogUnavailable(f"{MOST_APPENDS} appends wait for the brokers already: this one was not tried")
        try:
            yield
        finally:
            self._slots.release()

    def _take(self) -> Any:
        with self._lock:
            if self._closed:
                raise LogUnavailable("this log is closed")
            if self._producer is None:
                self._producer = self._cluster.producer()
            return self._producer

    def _give_up(self, producer: Any) -> None:
        with self._lock:
            if self._producer is producer:
                self._producer = None
        self._cluster.abort(producer)

    def close(self) -> None:
        self._closed = True
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            self._cluster.abort(producer)
