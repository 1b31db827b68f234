"""Reads Kafka from explicit positions, and notices when a consumer is stuck rather than idle."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from prequel.shared.log.base import LogUnavailable, Record
from prequel.shared.log.kafka.client import KafkaCluster, TopicPartition
from prequel.shared.runtime.deadlines import KAFKA_READ_SLICE_S, KAFKA_STARVED_S, KAFKA_WATCHDOG_S


def as_record(record: Any, cluster: KafkaCluster) -> Record:
    """The client's record as ours; where Kafka allows no value at all (also of a header), it is an empty one."""
    return Record(
        cluster.name(record.topic),
        record.partition,
        record.offset,
        record.key,
        record.value or b"",
        tuple((name, value or b"") for name, value in record.headers),
        max(record.timestamp, 0) / 1000,
    )


class Watchdog:
    """Tells a silent log from a silent client: asks for the ends over the very connection that should deliver.

    kafka-python's consumers have stalled for good in releases as late as 3.0.9, without an error and with records
    waiting. A consumer that stands still before waiting records at two looks in a row is given up; one partition, while
    others deliver, after it has done so for KAFKA_STARVED_S too.
    """

    def __init__(self, cluster: KafkaCluster, topic: str) -> None:
        self._cluster, self._topic = cluster, topic
        self._since = cluster.clock()
        self._behind: dict[int, int] = {}
        self._heard: dict[int, float] = {}
        self._suspects: dict[int, int] = {}

    def begin(self) -> None:
        """The consumer is new."""
        self._since, self._behind, self._heard, self._suspects = self._cluster.clock(), {}, {}, {}

    def fed(self, consumer: Any, delivered: Collection[int], reading: Collection[int]) -> None:
        """Records came, of some of the partitions that are read. As ``look`` for one that has long been silent."""
        now = self._cluster.clock()
        self._since, self._behind = now, self._suspects
        self._heard = {p: now if p in delivered else self._heard.get(p, now) for p in reading}
        starved = [p for p, heard in self._heard.items() if now - heard > KAFKA_STARVED_S]
        if starved:
            with self._cluster.translated(f"reading {self._topic}"):
                positions = {p: consumer.position(TopicPartition(self._topic, p)) for p in starved}
            self._ask(consumer, positions)
            self._suspects = self._behind
            self._heard |= dict.fromkeys(starved, now - KAFKA_STARVED_S + self._cluster.quiet_s)
        self._behind = {}

    def look(self, consumer: Any, positions: Mapping[int, int]) -> None:
        """Ask, if it has been quiet for long enough. Blocks; raises LogUnavailable when stuck or cut off."""
        if self._cluster.clock() - self._since >= self._cluster.quiet_s:
            self._ask(consumer, positions)

    def _ask(self, consumer: Any, positions: Mapping[int, int]) -> None:
        timeout_ms = int(min(self._cluster.timeout_s, KAFKA_WATCHDOG_S) * 1000)
        asked = [TopicPartition(self._topic, p) for p in positions or (0,)]  # who reads nothing wants an answer too
        with self._cluster.translated(f"reading {self._topic}"):
            ends = consumer.end_offsets(asked, timeout_ms)
        behind = {p: at for p, at in positions.items() if ends[TopicPartition(self._topic, p)] > at}
        stuck = [p for p, at in behind.items() if self._behind.get(p) == at]
        self._since, self._behind = self._cluster.clock(), behind
        if stuck:
            raise LogUnavailable(
                f"reading {self._topic}: the client stands still before waiting records in partitions {stuck}; "
                "it is replaced by a new one"
            )


class KafkaReader:
    """Reads a topic from explicit positions (see shared.log.base.Reader). Connects at the first poll."""

    def __init__(
        self, cluster: KafkaCluster, partitions: Callable[[str], int], topic: str, positions: Mapping[int, int]
    ) -> None:
        """``partitions`` tells how many a topic has, or raises LogUnavailable: the client would wait for ever."""
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
            self._drop()
            raise

    def _poll(self, consumer: Any, max_records: int, timeout_s: float) -> list[Record]:
        deadline = self._cluster.clock() + timeout_s
        while True:
            left = max(0.0, deadline - self._cluster.clock())
            records = self._turn(consumer, max_records, min(left, KAFKA_READ_SLICE_S))
            if records or left <= KAFKA_READ_SLICE_S:
                return records

    def _turn(self, consumer: Any, max_records: int, timeout_s: float) -> list[Record]:
        with self._cluster.reading(consumer, self._topic):
            batches = consumer.poll(timeout_ms=int(timeout_s * 1000), max_records=max_records)
            # The client's positions, not the records': they also move past what foreign transactions leave behind.
            # All or none: whoever reads again after a failure must not find some of the records passed over.
            moved = {p: consumer.position(TopicPartition(self._topic, p)) for p in self._positions}
        self._positions = moved
        if batches:
            self._watchdog.fed(consumer, {tp.partition for tp in batches}, self._positions)
        else:
            self._watchdog.look(consumer, self._positions)
        return [as_record(record, self._cluster) for batch in batches.values() for record in batch]

    def _open(self) -> Any:
        self._partitions(self._topic)
        self._consumer = consumer = self._cluster.consumer()
        consumer.assign([TopicPartition(self._topic, partition) for partition in self._positions])
        for partition, offset in self._positions.items():
            consumer.seek(TopicPartition(self._topic, partition), offset)
        self._watchdog.begin()
        return consumer

    def positions(self) -> dict[int, int]:
        return dict(self._positions)

    def close(self) -> None:
        self.closed = True
        self._drop()

    def _drop(self) -> None:
        if self._consumer is not None:
            self._cluster.shut(self._consumer)
            self._consumer = None
