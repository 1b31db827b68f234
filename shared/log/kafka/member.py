"""A member of a Kafka consumer group: remembers in callbacks, acts after poll, knows when it is out of the group."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from prequel.shared.log.base import LogUnavailable, Polled
from prequel.shared.log.kafka.client import (
    NO_GENERATION,
    ConsumerRebalanceListener,
    KafkaCluster,
    MembershipLost,
    OffsetAndMetadata,
    TopicPartition,
)
from prequel.shared.log.kafka.reader import Watchdog, as_record
from prequel.shared.log.kafka.repairs import poll_as_member
from prequel.shared.runtime.deadlines import KAFKA_MEMBER_SLICE_S


class _Ownership(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Partition -> generation since which it has been ours without a break.

    Called on the client's own thread while our thread waits in poll(): blocking here would end the group's rebalance
    for good, so this remembers, pauses and seeks, and nothing else.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.since: dict[int, int] = {}
        self.generation = NO_GENERATION

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        """Every rebalance begins with this, for all partitions; which of them stay is known at its end."""

    def on_partitions_lost(self, lost: Collection[Any]) -> None:
        self.forget()

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        generation = self._consumer.group_metadata().generation_id
        # Nobody else can have owned a partition that was ours in the generation directly before this one.
        kept = self.since if generation == self.generation + 1 else {}
        fresh = [tp for tp in assigned if tp.partition not in kept]
        self._consumer.pause(*fresh)
        for tp in fresh:
            self._consumer.seek(tp, 0)  # a placeholder: without a position the client would ask the group for one
        self.since = {tp.partition: kept.get(tp.partition, generation) for tp in assigned}
        self.generation = generation

    def forget(self) -> None:
        self.since, self.generation = {}, NO_GENERATION


class KafkaMember:
    """One member of a consumer group over one topic (see shared.log.base.Member). Joins at the first poll.

    A partition that stays ours through a rebalance is told neither lost nor assigned and goes on where it was.
    """

    def __init__(self, cluster: KafkaCluster, partitions: Callable[[str], int], group: str, topic: str) -> None:
        """``partitions`` tells how many a topic has, or raises LogUnavailable: the client would wait for ever."""
        self._cluster, self._partitions, self._group, self._topic = cluster, partitions, group, topic
        self._consumer: Any = None
        self._ownership = _Ownership(None)
        self._since: dict[int, int] = {}
        self._reading: set[int] = set()
        self._generation = 0
        self._watchdog = Watchdog(cluster, topic)
        self.closed = False

    def poll(self, max_records: int, timeout_s: float) -> Polled:
        if self.closed:
            raise LogUnavailable(f"this member of {self._group} is closed")
        try:
            return self._poll(self._consumer or self._open(), max_records, timeout_s)
        except LogUnavailable:
            self._drop()
            raise

    def _poll(self, consumer: Any, max_records: int, timeout_s: float) -> Polled:
        deadline = self._cluster.clock() + timeout_s
        while True:
            left = max(0.0, deadline - self._cluster.clock())
            with self._cluster.reading(consumer, self._topic):
                batches = poll_as_member(consumer, min(left, KAFKA_MEMBER_SLICE_S), max_records)
            assigned, lost = self._change(consumer)
            ours = (batch for tp, batch in batches.items() if tp.partition in self._reading)
            records = [as_record(record, self._cluster) for batch in ours for record in batch]
            self._watch(consumer, {record.partition for record in records})
            if records or assigned or lost or left <= KAFKA_MEMBER_SLICE_S:
                return Polled(records, assigned, lost, self._generation)

    def _change(self, consumer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Partitions newly assigned and lost since the last call."""
        if consumer.group_metadata().generation_id == NO_GENERATION:
            self._ownership.forget()  # put out of the group: the client still lists what it owned
        now = self._ownership.since
        lost = tuple(sorted(p for p, since in self._since.items() if now.get(p) != since))
        assigned = tuple(sorted(p for p, since in now.items() if self._since.get(p) != since))
        self._since = dict(now)
        self._reading -= {*lost, *assigned}
        if self._ownership.generation != NO_GENERATION:
            self._generation = self._ownership.generation
        return assigned, lost

    def _watch(self, consumer: Any, delivered: Collection[int]) -> None:
        if delivered:
            self._watchdog.fed(consumer, delivered, self._reading)
            return
        with self._cluster.reading(consumer, self._topic):
            positions = {p: consumer.position(TopicPartition(self._topic, p)) for p in self._reading}
        self._watchdog.look(consumer, positions)

    def _open(self) -> Any:
        self._partitions(self._topic)
        self._consumer = consumer = self._cluster.consumer(group=self._group)
        self._ownership = _Ownership(consumer)
        consumer.subscribe([self._topic], listener=self._ownership)
        self._watchdog.begin()
        return consumer

    def seek(self, partition: int, offset: int) -> None:
        if self._consumer is None or partition not in self._since:
            raise ValueError(f"{self._topic}:{partition} is not ours to read")
        self._consumer.seek(TopicPartition(self._topic, partition), offset)
        self._consumer.resume(TopicPartition(self._topic, partition))
        self._reading.add(partition)

    def committed(self, partition: int) -> int | None:
        consumer = self._consumer or self._open()
        with self._cluster.translated(f"reading the position of {self._group}"):
            offset = consumer.committed(
                TopicPartition(self._topic, partition), timeout_ms=int(self._cluster.timeout_s * 1000)
            )
        return None if offset is None or offset < 0 else int(offset)

    def commit(self, positions: Mapping[int, int]) -> bool:
        ours = {
            TopicPartition(self._topic, p): OffsetAndMetadata(offset, "", -1)
            for p, offset in positions.items()
            if p in self._since
        }
        if not ours or self._consumer is None:
            return True
        try:
            with self._cluster.translated(f"committing the position of {self._group}"):
                self._consumer.commit(ours, timeout_ms=int(self._cluster.timeout_s * 1000))
        except MembershipLost:
            return False  # the next poll tells what is still ours
        return True

    def close(self) -> None:
        self.closed = True
        self._drop()

    def _drop(self) -> None:
        self._ownership.forget()
        if self._consumer is not None:
            self._cluster.shut(self._consumer)
            self._consumer = None
