"""Reads single Kafka records by position: what makes the log the feature store."""

import contextlib
import queue
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from kafka import TopicPartition

from prequel.shared.log.base import Bounds, LogUnavailable, OffsetOutOfRange, Record
from prequel.shared.log.kafka.admin import KafkaAdmin
from prequel.shared.log.kafka.clients import close_consumer, new_consumer
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.errors import translated_read
from prequel.shared.log.kafka.records import to_record
from prequel.shared.runtime.deadlines import KAFKA_LOOKUP_FETCH_S, KAFKA_LOOKUP_SLICE_S

MAX_CONSUMERS = 4
"""Threads that look up at one time; more wait. Each consumer has a connection and a thread of its own."""

FETCH_BYTES = 64 * 2**10
"""Of one fetch: brokers send whole batches, so more would only be read ahead and thrown away."""

NEAR = 16
"""Offsets closer than this are read in one go: reading past a record is cheaper than another round trip."""

LARGEST_OFFSET = 2**63 - 1
"""Kafka's protocol has no larger one. Anybody may write one into an event that names a position."""

NO_BOUNDS = Bounds(0, 0)
"""Of a partition that does not exist: anybody may write ``ce_image: 99:0``."""


class KafkaLookup:
    """A pool of a few consumers, each used by one thread at a time and replaced after any error. Thread-safe."""

    def __init__(self, cluster: KafkaCluster, admin: KafkaAdmin) -> None:
        self._cluster, self._admin = cluster, admin
        # Last in, first out: the consumer whose connection was used last is the one most likely to be alive.
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(MAX_CONSUMERS):
            self._idle.put(None)
        self._closed = False

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        """See shared.log.base.Log."""
        requested = sorted({offset for offset in offsets if 0 <= offset <= LARGEST_OFFSET})
        if not requested:
            return {}
        with self._consumer() as consumer:
            consumer.assign([TopicPartition(topic, partition)])
            search = _Search(self._cluster, self._admin, consumer, TopicPartition(topic, partition))
            return search.find(requested)

    @contextlib.contextmanager
    def _consumer(self) -> Iterator[Any]:
        consumer = self._acquire()
        try:
            if self._closed:
                raise LogUnavailable("this log is closed")
            if consumer is None:
                consumer = new_consumer(
                    self._cluster, partition_fetch_bytes=FETCH_BYTES, wait_ms=round(KAFKA_LOOKUP_FETCH_S * 1000)
                )
            yield consumer
        except BaseException:
            if consumer is not None:
                close_consumer(self._cluster, consumer)
            consumer = None
            raise
        finally:
            self._idle.put(consumer)

    def _acquire(self) -> Any:
        """An idle consumer, None for a place in the pool whose consumer is still to be made."""
        try:
            return self._idle.get(timeout=self._cluster.timeout_s)
        except queue.Empty:
            raise LogUnavailable(
                f"{MAX_CONSUMERS} reads are waiting for brokers that do not answer: this one was not tried"
            ) from None

    def close(self) -> None:
        """Waits for the threads that read, each as long as a read may take at most."""
        self._closed = True
        consumers: list[Any] = []
        with contextlib.suppress(queue.Empty):
            while len(consumers) < MAX_CONSUMERS:
                consumers.append(self._idle.get(timeout=self._cluster.timeout_s))
        for consumer in consumers:
            if consumer is not None:
                close_consumer(self._cluster, consumer)
            self._idle.put(None)  # A read that begins now finds a place, and then that the log is closed.


class _Search:
    """One search through one partition, in offset order."""

    def __init__(self, cluster: KafkaCluster, admin: KafkaAdmin, consumer: Any, partition: Any) -> None:
        self._cluster, self._admin, self._consumer, self._partition = cluster, admin, consumer, partition
        self._position: int | None = None
        self._progress_at = cluster.clock()

    def find(self, requested: Sequence[int]) -> dict[int, Record]:
        """Offset -> record, for sorted offsets. Each turn moves on, or asks which of them the log has at all."""
        records: dict[int, Record] = {}
        left, offsets = deque(requested), set(requested)
        while left:
            before = self._position
            for record in self._poll(left):
                if record.offset in offsets:
                    records[record.offset] = to_record(record, self._cluster)
            while left and self._position is not None and left[0] < self._position:
                left.popleft()  # Found; or a gap, such as what a foreign transaction aborted.
            if self._position in (before, None):
                left = self._still_in_log(left)
        return records

    def _poll(self, left: Sequence[int]) -> list[Any]:
        """The next records from about the first requested one on; none where the log has none."""
        if self._position is None or not self._position <= left[0] < self._position + NEAR:
            self._consumer.seek(self._partition, left[0])
            self._position = left[0]
        began_at = self._position
        try:
            with translated_read(self._cluster, self._consumer, self._partition.topic):
                max_records = _end_of_run(left) - self._position
                batches = self._consumer.poll(timeout_ms=int(KAFKA_LOOKUP_SLICE_S * 1000), max_records=max_records)
                self._position = self._consumer.position(self._partition)
        except OffsetOutOfRange:
            self._position = None
            return []
        if self._position != began_at:
            self._progress_at = self._cluster.clock()
        return list(batches.get(self._partition, ()))

    def _still_in_log(self, left: Sequence[int]) -> deque[int]:
        """Those that the partition has; raises LogUnavailable where they should have come long ago."""
        topic, partition = self._partition
        begin, end = self._admin.bounds(topic).get(partition, NO_BOUNDS)
        inside = deque(offset for offset in left if begin <= offset < end)
        if inside and self._cluster.clock() - self._progress_at > self._cluster.timeout_s:
            raise LogUnavailable(f"{topic}:{partition}:{inside[0]} is in the log, but the brokers do not send it")
        return inside


def _end_of_run(offsets: Sequence[int]) -> int:
    """The offset behind the first run of offsets that are near each other."""
    end = offsets[0] + 1
    for offset in offsets:
        if offset >= end + NEAR:
            break
        end = offset + 1
    return end
