"""Reads Kafka from explicit positions."""

from collections.abc import Callable, Mapping
from typing import Any

from kafka import TopicPartition

from prequel.shared.log.base import LogUnavailable, Record
from prequel.shared.log.kafka.clients import close_consumer, new_consumer
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.errors import translated_read
from prequel.shared.log.kafka.records import to_record
from prequel.shared.log.kafka.watchdog import Watchdog
from prequel.shared.runtime.deadlines import KAFKA_READ_SLICE_S


class KafkaReader:
    """Reads a topic from explicit positions (see shared.log.base.Reader). Connects at the first poll.

    After any LogUnavailable the consumer is closed; the next poll makes another one, at the positions reached.
    """

    def __init__(
        self, cluster: KafkaCluster, partitions: Callable[[str], int], topic: str, positions: Mapping[int, int]
    ) -> None:
        """``partitions`` says how many a topic has, or raises LogUnavailable where it does not exist.

        Asked before a consumer is made, which would wait for a missing topic for ever.
        """
        self._cluster, self._partitions, self._topic = cluster, partitions, topic
        self._positions = dict(positions)
        self._consumer: Any = None
        self._watchdog = Watchdog(cluster, topic)
        self.closed = False

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        if self.closed:
            raise LogUnavailable(f"this reader of {self._topic} is closed")
        if not self._positions:
            return []
        try:
            return self._poll(self._consumer or self._open(), max_records, timeout_s)
        except LogUnavailable:
            self._discard_consumer()
            raise

    def _poll(self, consumer: Any, max_records: int, timeout_s: float) -> list[Record]:
        """A long poll in slices, between which the watchdog looks."""
        deadline = self._cluster.clock() + timeout_s
        while True:
            left = max(0.0, deadline - self._cluster.clock())
            records = self._poll_once(consumer, max_records, min(left, KAFKA_READ_SLICE_S))
            if records or left <= KAFKA_READ_SLICE_S:
                return records

    def _poll_once(self, consumer: Any, max_records: int, timeout_s: float) -> list[Record]:
        with translated_read(self._cluster, consumer, self._topic):
            batches = consumer.poll(timeout_ms=int(timeout_s * 1000), max_records=max_records)
            # The client's positions, not the records': they also move past what foreign transactions leave behind.
            # All or none: whoever reads again after a failure must not find some of the records skipped.
            positions = {p: consumer.position(TopicPartition(self._topic, p)) for p in self._positions}
        self._positions = positions
        if batches:
            self._watchdog.delivered(consumer, {tp.partition for tp in batches}, self._positions)
        else:
            self._watchdog.nothing_delivered(consumer, self._positions)
        return [to_record(record, self._cluster) for batch in batches.values() for record in batch]

    def _open(self) -> Any:
        self._partitions(self._topic)
        self._consumer = consumer = new_consumer(self._cluster)
        consumer.assign([TopicPartition(self._topic, partition) for partition in self._positions])
        for partition, offset in self._positions.items():
            consumer.seek(TopicPartition(self._topic, partition), offset)
        self._watchdog.reset()
        return consumer

    def positions(self) -> dict[int, int]:
        return dict(self._positions)

    def close(self) -> None:
        self.closed = True
        self._discard_consumer()

    def _discard_consumer(self) -> None:
        if self._consumer is not None:
            close_consumer(self._cluster, self._consumer)
            self._consumer = None
