"""Appends to Kafka: checks every acknowledgement, bounds the bytes in flight, replaces the client after any error."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from prequel.shared.log.base import LogUnavailable, Message, Position, RecordTooLarge
from prequel.shared.log.kafka.clients import abort_producer, flush, new_producer
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.errors import translated
from prequel.shared.log.partitioner import partition_for

WINDOW_BYTES = 8 * 2**20
"""Sent but not acknowledged, at most, for one call of append; the client itself knows no limit. Enough to keep a line
of 1 Gbit/s busy for the 60 ms that an acknowledgement may take."""

MAX_APPENDS = 8
"""Calls of append at one time; more wait. With WINDOW_BYTES this bounds what a silent broker makes us keep: 64 MiB."""

BATCH_OVERHEAD_BYTES, HEADER_OVERHEAD_BYTES = 100, 12
"""What the broker counts on top: a batch of one record, and the lengths of each header (at most)."""


def record_bytes(message: Message) -> int:
    """The size that the broker compares with a topic's max.message.bytes, or a little more."""
    headers = sum(len(name.encode()) + len(value) + HEADER_OVERHEAD_BYTES for name, value in message.headers)
    return BATCH_OVERHEAD_BYTES + len(message.key or b"") + len(message.value) + headers


class _Outgoing(NamedTuple):
    """A message with the partition that it goes to and the bytes that it takes."""

    message: Message
    partition: int
    size: int


class KafkaProducers:
    """The one producer of a log, shared by its threads. Thread-safe.

    After an error it is aborted at once and replaced at the next append: what it had not sent must not reach the log
    later, behind something newer.
    """

    def __init__(self, cluster: KafkaCluster, partitions: Callable[[str], int], limit: Callable[[str], int]) -> None:
        """``partitions`` and ``limit`` (bytes of a record) of a topic; both are asked for every message."""
        self._cluster, self._partitions, self._limit = cluster, partitions, limit
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MAX_APPENDS)
        self._producer: Any = None
        self._closed = False
        self._round_robin = itertools.count()

    def append(self, messages: Sequence[Message]) -> list[Position]:
        """See shared.log.base.Log."""
        # All sizes and partitions are checked before anything is sent: RecordTooLarge promises that nothing was.
        outgoing = [_Outgoing(message, self._partition(message), self._size(message)) for message in messages]
        if not outgoing:
            return []
        with self._slot():
            producer = self._current()
            try:
                topics = " and ".join(sorted({message.topic for message in messages}))
                with translated(self._cluster, f"appending to {topics}"):
                    return self._send(producer, outgoing)
            except BaseException:
                self._discard(producer)
                raise

    def _partition(self, message: Message) -> int:
        count = self._partitions(message.topic)
        if message.partition is not None:
            if not 0 <= message.partition < count:
                raise ValueError(f"topic {message.topic} has partitions 0 to {count - 1}, not {message.partition}")
            return message.partition
        return next(self._round_robin) % count if message.key is None else partition_for(message.key, count)

    def _size(self, message: Message) -> int:
        size, limit = record_bytes(message), self._limit(message.topic)
        if size > limit:
            raise RecordTooLarge(
                f"a record of {size:,} bytes is larger than topic {message.topic} takes ({limit:,}); "
                "raise its max.message.bytes, see `prequel topics`"
            )
        return size

    def _send(self, producer: Any, outgoing: Sequence[_Outgoing]) -> list[Position]:
        """Send all, and wait for every acknowledgement; never let more than WINDOW_BYTES wait for theirs."""
        positions: list[Position] = []
        in_flight: deque[tuple[Any, int]] = deque()
        in_flight_bytes = 0
        for message, partition, size in outgoing:
            while in_flight and in_flight_bytes + size > WINDOW_BYTES:
                future, acknowledged_bytes = in_flight.popleft()
                positions.append(self._acknowledged(future))
                in_flight_bytes -= acknowledged_bytes
            future = producer.send(message.topic, message.value, message.key, list(message.headers), partition)
            in_flight.append((future, size))
            in_flight_bytes += size
        flush(self._cluster, producer)  # Else the last ones would wait for the linger.
        positions += [self._acknowledged(future) for future, _ in in_flight]
        return positions

    def _acknowledged(self, future: Any) -> Position:
        """Wait for one acknowledgement; raises what the client made of a failure."""
        metadata = (
            future.value if future.succeeded() else future.get(self._cluster.delivery_s + self._cluster.timeout_s)
        )
        if metadata.offset < 0:
            raise LogUnavailable("the record is in the log, but Kafka does not know its offset any more: append again")
        return Position(metadata.partition, metadata.offset)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """One of MAX_APPENDS; raises LogUnavailable where all of them wait for brokers that do not answer."""
        if not self._slots.acquire(timeout=self._cluster.delivery_s):
            raise LogUnavailable(f"{MAX_APPENDS} appends are waiting for the brokers already: this one was not tried")
        try:
            yield
        finally:
            self._slots.release()

    def _current(self) -> Any:
        with self._lock:
            if self._closed:
                raise LogUnavailable("this log is closed")
            if self._producer is None:
                self._producer = new_producer(self._cluster)
            return self._producer

    def _discard(self, producer: Any) -> None:
        with self._lock:
            if self._producer is producer:  # Else another thread has replaced it already.
                self._producer = None
        abort_producer(producer)

    def close(self) -> None:
        self._closed = True
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            abort_producer(producer)
