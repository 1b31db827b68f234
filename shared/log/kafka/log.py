"""The log on Apache Kafka: topics, partitions, positions and consumer groups are Kafka's own."""

import threading
from collections.abc import Mapping, Sequence
from typing import TypeVar

from prequel.shared.log.base import Bounds, Message, Position, Record
from prequel.shared.log.kafka.admin import KafkaAdmin
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.lookup import KafkaLookup
from prequel.shared.log.kafka.member import KafkaMember
from prequel.shared.log.kafka.producer import KafkaProducers
from prequel.shared.log.kafka.reader import KafkaReader
from prequel.shared.topics import TopicState

_Opened = TypeVar("_Opened", KafkaReader, KafkaMember)


class KafkaLog:
    """See shared.log.base.Log. Nothing connects before it is used; whatever fails connects again at its next use."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._admin = KafkaAdmin(cluster)
        self._lookup = KafkaLookup(cluster, self._admin)
        self._producers = KafkaProducers(cluster, self._cached_partitions, self._cached_limit)
        self._partition_counts: dict[str, int] = {}
        self._limits: dict[str, int] = {}
        self._lock = threading.Lock()
        self._open: list[KafkaReader | KafkaMember] = []

    def append(self, messages: Sequence[Message]) -> list[Position]:
        if self._cluster.topic_prefix:
            messages = [message._replace(topic=self._cluster.topic(message.topic)) for message in messages]
        return self._producers.append(messages)

    def partitions(self, topic: str) -> int:
        return self._admin.partitions(self._cluster.topic(topic))

    def bounds(self, topic: str) -> dict[int, Bounds]:
        return self._admin.bounds(self._cluster.topic(topic))

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        return self._lookup.read(self._cluster.topic(topic), partition, offsets)

    def follow(self, topic: str, positions: Mapping[int, int]) -> KafkaReader:
        return self._remember(KafkaReader(self._cluster, self._admin.partitions, self._cluster.topic(topic), positions))

    def join(self, group: str, topic: str) -> KafkaMember:
        return self._remember(KafkaMember(self._cluster, self._admin.partitions, group, self._cluster.topic(topic)))

    def lag(self, group: str, topic: str) -> dict[int, int]:
        bounds = self.bounds(topic)
        committed = self._admin.committed(group, self._cluster.topic(topic))
        return {p: max(0, end - committed.get(p, begin)) for p, (begin, end) in bounds.items()}

    def describe(self, topics: Sequence[str]) -> dict[str, TopicState]:
        """Those of the topics that exist, with the settings in force. Blocks; raises LogUnavailable."""
        states = self._admin.describe([self._cluster.topic(topic) for topic in topics])
        return {self._cluster.name(topic): state for topic, state in states.items()}

    def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """Bytes of each topic, one copy; topics that this user may not ask about are missing. Raises LogUnavailable."""
        sizes = self._admin.sizes([self._cluster.topic(topic) for topic in topics])
        return {self._cluster.name(topic): size for topic, size in sizes.items()}

    def create(self, topic: str, wanted: TopicState) -> None:
        """Create a topic and wait until it can be used. One that exists is left as it is. Raises LogUnavailable."""
        self._admin.create(self._cluster.topic(topic), wanted)

    def close(self) -> None:
        """Also closes its readers and members: not to be called while another thread polls one."""
        for opened in self._open:
            opened.close()
        self._producers.close()
        self._lookup.close()
        self._admin.close()

    def _remember(self, opened: _Opened) -> _Opened:
        """To be closed with the log, if it is not closed before: a client that is only dropped keeps its thread."""
        with self._lock:
            self._open = [each for each in self._open if not each.closed] + [opened]
        return opened

    def _cached_partitions(self, topic: str) -> int:
        """Asked once: a key keeps its partition for as long as this process lives."""
        if topic not in self._partition_counts:
            self._partition_counts[topic] = self._admin.partitions(topic)
        return self._partition_counts[topic]

    def _cached_limit(self, topic: str) -> int:
        if topic not in self._limits:
            self._limits[topic] = self._admin.limit(topic)
        return self._limits[topic]
