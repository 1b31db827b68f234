"""A member of a Kafka consumer group: reads what is assigned to it, and knows when it has been evicted."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from prequel.shared.log.base import LogUnavailable, PollResult
from prequel.shared.log.kafka.assignment import NO_GENERATION, AssignmentListener
from prequel.shared.log.kafka.clients import close_consumer, new_consumer
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.errors import MembershipLost, translated, translated_read
from prequel.shared.log.kafka.records import to_record
from prequel.shared.log.kafka.watchdog import Watchdog
from prequel.shared.log.kafka.workarounds import poll_as_member
from prequel.shared.runtime.deadlines import KAFKA_MEMBER_SLICE_S

NO_LEADER_EPOCH = -1
"""The leader epoch of a committed offset: not known, so brokers do not compare it."""


class KafkaMember:
    """One member of a consumer group over one topic (see shared.log.base.Member). Joins at the first poll.

    A partition that is kept through a rebalance is neither revoked nor assigned, and is read on where it was. After
    any LogUnavailable the consumer leaves the group; the next poll joins again.
    """

    def __init__(self, cluster: KafkaCluster, partitions: Callable[[str], int], group: str, topic: str) -> None:
        """``partitions`` says how many a topic has, or raises LogUnavailable where it does not exist.

        Asked before a consumer is made, which would wait for a missing topic for ever.
        """
        self._cluster, self._partitions, self._group, self._topic = cluster, partitions, group, topic
        self._consumer: Any = None
        self._assignment = AssignmentListener(None)
        self._since: dict[int, int] = {}
        """What of the assignment the caller has been told."""
        self._reading: set[int] = set()
        """Owned partitions that the caller has sought."""
        self._generation = 0
        self._watchdog = Watchdog(cluster, topic)
        self.closed = False

    def poll(self, max_records: int, timeout_s: float) -> PollResult:
        if self.closed:
            raise LogUnavailable(f"this member of {self._group} is closed")
        try:
            return self._poll(self._consumer or self._open(), max_records, timeout_s)
        except LogUnavailable:
            self._discard_consumer()
            raise

    def _poll(self, consumer: Any, max_records: int, timeout_s: float) -> PollResult:
        """A long poll in slices, so that a change of ownership is reported soon after it came.

        In each: 1. poll; 2. see what changed; 3. only then pick the records. A rebalance inside the poll may have
        revoked a partition whose records it returns, and those must not reach the caller.
        """
        deadline = self._cluster.clock() + timeout_s
        while True:
            left = max(0.0, deadline - self._cluster.clock())
            with translated_read(self._cluster, consumer, self._topic):
                batches = poll_as_member(consumer, min(left, KAFKA_MEMBER_SLICE_S), max_records)
            assigned, revoked = self._change(consumer)
            owned_batches = (batch for tp, batch in batches.items() if tp.partition in self._reading)
            records = [to_record(record, self._cluster) for batch in owned_batches for record in batch]
            self._watch(consumer, {record.partition for record in records})
            if records or assigned or revoked or left <= KAFKA_MEMBER_SLICE_S:
                return PollResult(records, assigned, revoked, self._generation)

    def _change(self, consumer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Partitions newly assigned, and revoked, since the last call."""
        if consumer.group_metadata().generation_id == NO_GENERATION:
            self._assignment.reset()  # Evicted, though the client still lists what it owned.
        now = self._assignment.since
        revoked = tuple(sorted(p for p, since in self._since.items() if now.get(p) != since))
        assigned = tuple(sorted(p for p, since in now.items() if self._since.get(p) != since))
        self._since = dict(now)
        self._reading -= {*revoked, *assigned}
        if self._assignment.generation != NO_GENERATION:
            self._generation = self._assignment.generation
        return assigned, revoked

    def _watch(self, consumer: Any, delivered: Collection[int]) -> None:
        if delivered:
            self._watchdog.delivered(consumer, delivered, self._reading)
            return
        with translated_read(self._cluster, consumer, self._topic):
            positions = {p: consumer.position(TopicPartition(self._topic, p)) for p in self._reading}
        self._watchdog.nothing_delivered(consumer, positions)

    def _open(self) -> Any:
        self._partitions(self._topic)
        self._consumer = consumer = new_consumer(self._cluster, group=self._group)
        self._assignment = AssignmentListener(consumer)
        consumer.subscribe([self._topic], listener=self._assignment)
        self._watchdog.reset()
        return consumer

    def seek(self, partition: int, offset: int) -> None:
        if self._consumer is None or partition not in self._since:
            raise ValueError(f"{self._topic}:{partition} is not owned by this member of {self._group}")
        self._consumer.seek(TopicPartition(self._topic, partition), offset)
        self._consumer.resume(TopicPartition(self._topic, partition))
        self._reading.add(partition)

    def committed(self, partition: int) -> int | None:
        consumer = self._consumer or self._open()
        with translated(self._cluster, f"reading the committed position of group {self._group}"):
            offset = consumer.committed(TopicPartition(self._topic, partition), timeout_ms=self._cluster.timeout_ms)
        return None if offset is None or offset < 0 else int(offset)

    def commit(self, positions: Mapping[int, int]) -> bool:
        owned = {
            TopicPartition(self._topic, p): OffsetAndMetadata(offset, "", NO_LEADER_EPOCH)
            for p, offset in positions.items()
            if p in self._since
        }
        if not owned or self._consumer is None:
            return True
        try:
            with translated(self._cluster, f"committing the position of group {self._group}"):
                self._consumer.commit(owned, timeout_ms=self._cluster.timeout_ms)
        except MembershipLost:
            return False  # The next poll tells what is still owned.
        return True

    def close(self) -> None:
        self.closed = True
        self._discard_consumer()

    def _discard_consumer(self) -> None:
        self._assignment.reset()
        if self._consumer is not None:
            close_consumer(self._cluster, self._consumer)
            self._consumer = None
