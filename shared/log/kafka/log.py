"""The log on Apache Kafka: topics, partitions, positions and consumer groups are Kafka's own."""

import threading
from collections.abc import Mapping, Sequence
from typing import TypeVar

from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import Bounds, Message, Position, Record
from prequel.shared.log.kafka.admin import KafkaAdmin
from prequel.shared.log.kafka.client import KafkaCluster
from prequel.shared.log.kafka.lookup import KafkaLookup
from prequel.shared.log.kafka.member import KafkaMember
from prequel.shared.log.kafka.producer import KafkaProducers
from prequel.shared.log.kafka.reader import KafkaReader
from prequel.shared.log.kafka.security import KafkaSecurity
from prequel.shared.topics import MAX_OVERHEAD_BYTES, TopicState

SCHEME = "kafka://"

_Opened = TypeVar("_Opened", KafkaReader, KafkaMember)


class KafkaLog:
    """See shared.log.base.Log. Nothing connects before it is used; whatever fails is connected anew at its next use."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._admin = KafkaAdmin(cluster)
        self._lookup = KafkaLookup(cluster, self._admin)
        self._producers = KafkaProducers(cluster, self._counted, self._limited)
        self._counts: dict[str, int] = {}
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
        return self._kept(KafkaReader(self._cluster, self._admin.partitions, self._cluster.topic(topic), positions))

    def join(self, group: str, topic: str) -> KafkaMember:
        return self._kept(KafkaMember(self._cluster, self._admin.partitions, group, self._cluster.topic(topic)))

    def lag(self, group: str, topic: str) -> dict[int, int]:
        bounds = self.bounds(topic)
        committed = self._admin.committed(group, self._cluster.topic(topic))
        return {p: max(0, end - committed.get(p, begin)) for p, (begin, end) in bounds.items()}

    def describe(self, topics: Sequence[str]) -> dict[str, TopicState]:
        """Those of the topics that exist, with the settings in force. Blocks; raises LogUnavailable."""
        found = self._admin.describe([self._cluster.topic(topic) for topic in topics])
        return {self._cluster.name(topic): state for topic, state in found.items()}

    def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """Bytes of each topic, one copy; those that this user may not ask for are missing. Raises LogUnavailable."""
        found = self._admin.sizes([self._cluster.topic(topic) for topic in topics])
        return {self._cluster.name(topic): size for topic, size in found.items()}

    def create(self, topic: str, wanted: TopicState) -> None:
        """Create a topic and wait until it can be used. Raises LogUnavailable, also where it exists."""
        self._admin.create(self._cluster.topic(topic), wanted)

    def close(self) -> None:
        """Also closes its readers and members: not while another thread polls one."""
        for each in self._open:
            each.close()
        self._producers.close()
        self._lookup.close()
        self._admin.close()

    def _kept(self, opened: _Opened) -> _Opened:
        """Remembered until it is closed, by itself or with the log: a client that is only dropped goes on for ever."""
        with self._lock:
            self._open = [each for each in self._open if not each.closed] + [opened]
        return opened

    def _counted(self, topic: str) -> int:
        """Asked once: a key keeps its partition for as long as this process lives."""
        if topic not in self._counts:
            self._counts[topic] = self._admin.partitions(topic)
        return self._counts[topic]

    def _limited(self, topic: str) -> int:
        if topic not in self._limits:
            self._limits[topic] = self._admin.limit(topic)
        return self._limits[topic]


def cluster(settings: Settings) -> KafkaCluster:
    """What PREQUEL_LOG=kafka://host:port,... and PREQUEL_KAFKA_* say. Raises ConfigError where they contradict."""
    if settings.kafka_security.startswith("SASL") != bool(settings.kafka_sasl):
        raise ConfigError(
            f"PREQUEL_KAFKA_SECURITY={settings.kafka_security} and PREQUEL_KAFKA_SASL={settings.kafka_sasl} do not go "
            "together: set a SASL mechanism (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) with SASL_SSL or SASL_PLAINTEXT only"
        )
    if settings.kafka_sasl and not settings.kafka_user:
        raise ConfigError(f"PREQUEL_KAFKA_USER is empty: {settings.kafka_sasl} needs a user and a password")
    security = KafkaSecurity(
        settings.kafka_security,
        settings.kafka_sasl,
        settings.kafka_user,
        settings.kafka_password.get_secret_value(),
        settings.kafka_ca,
        settings.kafka_cert,
        settings.kafka_key,
    )
    return KafkaCluster(
        settings.log_url.removeprefix(SCHEME).rstrip("/"),
        security,
        max_record_bytes=settings.max_image_bytes + MAX_OVERHEAD_BYTES,
        session_s=settings.kafka_session,
        topic_prefix=settings.kafka_topic_prefix,
        client_id=settings.kafka_client_id,
    )
