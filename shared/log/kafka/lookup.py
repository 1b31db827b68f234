"""Reads single Kafka records by position: what makes the log the feature store."""

import contextlib
import queue
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from prequel.shared.log.base import Bounds, LogUnavailable, OffsetOutOfRange, Record
from prequel.shared.log.kafka.admin import KafkaAdmin
from prequel.shared.log.kafka.client import KafkaCluster, TopicPartition
from prequel.shared.log.kafka.reader import as_record
from prequel.shared.runtime.deadlines import KAFKA_LOOKUP_FETCH_S, KAFKA_LOOKUP_SLICE_S

MOST_CONSUMERS = 4
"""Threads that look up at one time; more wait."""

FETCH_BYTES = 64 * 2**10
"""Asked for at a time: a batch comes whole, so more would only be read ahead and thrown away."""

NEAR = 16
"""Offsets closer than this are read in one go: passing over a record is cheaper than a round trip."""

LARGEST_OFFSET = 2**63 - 1
"""Kafka's protocol has no larger one."""

NO_PARTITION = Bounds(0, 0)


class KafkaLookup:
    """A few consumers that stay open, each used by one thread at a time; replaced after any error."""

    def __init__(self, cluster: KafkaCluster, admin: KafkaAdmin) -> None:
        self._cluster, self._admin = cluster, admin
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(MOST_CONSUMERS):
            self._idle.put(None)
        self._closed = False

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        """See shared.log.base.Log."""
        wanted = sorted({offset for offset in offsets if 0 <= offset <= LARGEST_OFFSET})
        if not wanted:
            return {}
        with self._consumer() as consumer:
            consumer.assign([TopicPartition(topic, partition)])
            return _Search(self._cluster, self._admin, consumer, TopicPartition(topic, partition)).find(wanted)

    @contextlib.contextmanager
    def _consumer(self) -> Iterator[Any]:
        consumer = self._idle_one()
        try:
            if self._closed:
                raise LogUnavailable("this log is closed")
            if consumer is None:
                consumer = self._cluster.consumer(
                    partition_fetch_bytes=FETCH_BYTES, wait_ms=round(KAFKA_LOOKUP_FETCH_S * 1000)
                )
            yield consumer
        except BaseException:
            if consumer is not None:
                self._cluster.shut(consumer)
            consumer = None
            raise
        finally:
            self._idle.put(consumer)

    def _idle_one(self) -> Any:
        """A consumer that nobody uses, None for one still to be made."""
        try:
            return self._idle.get(timeout=self._cluster.timeout_s)
        except queue.Empty:
            raise LogUnavailable("all look-ups wait for the brokers, which do not answer") from None

    def close(self) -> None:
        """Waits for the threads that read, each as long as a read may take at most."""
        self._closed = True
        consumers: list[Any] = []
        with contextlib.suppress(queue.Empty):
            while len(consumers) < MOST_CONSUMERS:
                consumers.append(self._idle.get(timeout=self._cluster.timeout_s))
        for consumer in consumers:
            if consumer is not None:
                self._cluster.shut(consumer)
            self._idle.put(None)


class _Search:
    """One search through one partition, in offset order."""

    def __init__(self, cluster: KafkaCluster, admin: KafkaAdmin, consumer: Any, partition: Any) -> None:
        self._cluster, self._admin, self._consumer, self._partition = cluster, admin, consumer, partition
        self._at: int | None = None
        self._progress = cluster.clock()

    def find(self, wanted: Sequence[int]) -> dict[int, Record]:
        found: dict[int, Record] = {}
        left, sought = deque(wanted), set(wanted)
        while left:
            before = self._at
            for record in self._take(left):
                if record.offset in sought:
                    found[record.offset] = as_record(record, self._cluster)
            while left and self._at is not None and left[0] < self._at:
                left.popleft()  # found, or a gap: what a foreign transaction aborted, for one
            if self._at in (before, None):
                left = self._still_there(left)
        return found

    def _take(self, left: Sequence[int]) -> list[Any]:
        """The next records from near the first that is wanted on; none where the log has none."""
        if self._at is None or not self._at <= left[0] < self._at + NEAR:
            self._consumer.seek(self._partition, left[0])
            self._at = left[0]
        began = self._at
        try:
            with self._cluster.reading(self._consumer, self._partition.topic):
                most = _end_of_run(left) - self._at
                polled = self._consumer.poll(timeout_ms=int(KAFKA_LOOKUP_SLICE_S * 1000), max_records=most)
                self._at = self._consumer.position(self._partition)
        except OffsetOutOfRange:
            self._at = None
            return []
        if self._at != began:
            self._progress = self._cluster.clock()
        return list(polled.get(self._partition, ()))

    def _still_there(self, left: Sequence[int]) -> deque[int]:
        """Those that the partition still holds; raises LogUnavailable where they should have come long ago."""
        topic, partition = self._partition
        begin, end = self._admin.bounds(topic).get(partition, NO_PARTITION)  # anybody may write ce_image: 99:0
        inside = deque(offset for offset in left if begin <= offset < end)
        if inside and self._cluster.clock() - self._progress > self._cluster.timeout_s:
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
