"""The topics that Prequel needs: their configuration, how they are created, what is wrong with existing ones."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import TOPICS
from prequel.shared.log.kafka.retention import kafka_settings

MAX_OVERHEAD_BYTES = 64 * 2**10
"""What key, headers and framing may add to the largest value. Half would still do for every header that travels; but a
record that the gateway accepts and the broker refuses would be lost work, and a topic's limit costs nothing."""

MIN_RECORD_BYTES = 2**20 + MAX_OVERHEAD_BYTES
"""The record limit of a topic even where images are small: feature vectors and batches of records have to fit."""


class TopicState(NamedTuple):
    """A topic as it is or should be; ``settings`` by Kafka's names."""

    partitions: int
    replication: int
    settings: Mapping[str, str]


@runtime_checkable
class Cluster(Protocol):
    """The servers that have the topics. Every call may block and raises LogUnavailable."""

    def describe(self, topics: Sequence[str]) -> dict[str, TopicState]:
        """Those of the topics that exist, with the settings in force."""
        ...

    def create(self, topic: str, state: TopicState) -> None:
        """Create a topic and wait until it can be used. One that exists is left unchanged."""
        ...


class TopicProblem(NamedTuple):
    """A setting of a topic that does not fit, and what to do about it."""

    topic: str
    setting: str
    actual: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.setting} is {self.actual}, expected {self.expected}. {self.remedy}"


def expected_topics(settings: Settings) -> dict[str, TopicState]:
    """How every topic should be, by the settings PREQUEL_KAFKA_*, PREQUEL_RETENTION_* and PREQUEL_MAX_IMAGE_BYTES.

    Raises ConfigError for settings with which no topic could be used.
    """
    if settings.kafka_min_insync > settings.kafka_replication:
        raise ConfigError(
            f"PREQUEL_KAFKA_MIN_INSYNC={settings.kafka_min_insync} is more than "
            f"PREQUEL_KAFKA_REPLICATION={settings.kafka_replication}: nothing could ever be written"
        )
    record_bytes = max(settings.max_image_bytes + MAX_OVERHEAD_BYTES, MIN_RECORD_BYTES)
    configuration = {
        "cleanup.policy": "delete",
        "max.message.bytes": str(record_bytes),
        "min.insync.replicas": str(settings.kafka_min_insync),
        # The log's own time: a producer with a wrong clock must not decide when its records expire.
        "message.timestamp.type": "LogAppendTime",
    }
    partitions = settings.kafka_partitions
    return {
        topic: TopicState(
            partitions,
            settings.kafka_replication,
            configuration | kafka_settings(settings.retention_of(topic), partitions),
        )
        for topic in TOPICS
    }


def topic_name(settings: Settings, topic: str) -> str:
    """The topic's name in the log: on Kafka with the prefix of the settings."""
    return f"{settings.kafka_topic_prefix}{topic}" if settings.log_url.startswith("kafka://") else topic


def create(cluster: Cluster, settings: Settings) -> list[str]:
    """Create the topics that are missing and return their names. Existing ones are left unchanged."""
    expected = expected_topics(settings)
    existing = cluster.describe(list(expected))
    missing = [topic for topic in expected if topic not in existing]
    for topic in missing:
        cluster.create(topic, expected[topic])
    return missing


def check(cluster: Cluster, settings: Settings) -> list[TopicProblem]:
    """Everything that is wrong with the topics; empty if they can be used."""
    existing = cluster.describe(TOPICS)
    servers = settings.log_url.removeprefix("kafka://").rstrip("/")
    problems = []
    for topic, expected in expected_topics(settings).items():
        name = topic_name(settings, topic)
        problems += _problems(name, expected, existing[topic], servers) if topic in existing else [_missing(name)]
    return problems


def _missing(topic: str) -> TopicProblem:
    return TopicProblem(topic, "existence", "no", "yes", "Run: prequel topics")


def _problems(topic: str, expected: TopicState, actual: TopicState, servers: str) -> list[TopicProblem]:
    problems = []
    if actual.partitions != expected.partitions:
        # More partitions would move streams away from their state; fewer are not possible.
        remedy = f"Set PREQUEL_KAFKA_PARTITIONS={actual.partitions}, or start over with empty topics"
        problems.append(TopicProblem(topic, "partitions", str(actual.partitions), str(expected.partitions), remedy))
    if actual.replication < expected.replication:
        remedy = (
            f"Run: kafka-reassign-partitions.sh --bootstrap-server {servers} --execute --reassignment-json-file FILE, "
            f"or set PREQUEL_KAFKA_REPLICATION={actual.replication}"
        )
        at_least = f"at least {expected.replication}"
        problems.append(TopicProblem(topic, "replication factor", str(actual.replication), at_least, remedy))
    for setting, value in expected.settings.items():
        if setting in _CHECKS and not _CHECKS[setting](actual.settings.get(setting, ""), value):
            change = f"--alter --entity-type topics --entity-name {topic} --add-config {setting}={value}"
            remedy = f"Run: kafka-configs.sh --bootstrap-server {servers} {change}"
            problems.append(TopicProblem(topic, setting, actual.settings.get(setting, "unknown"), value, remedy))
    return problems


def _same(actual: str, expected: str) -> bool:
    return actual == expected


def _at_least(actual: str, expected: str) -> bool:
    """-1 stands for no limit."""
    limits = {"-1": float("inf")}
    return limits.get(actual, float(actual or "-inf")) >= limits.get(expected, float(expected))


_CHECKS = {
    "cleanup.policy": _same,
    "max.message.bytes": _at_least,
    "min.insync.replicas": _at_least,
}
"""What is checked of a topic that somebody else created. Which clock its timestamps come from makes no difference,
and how long it is kept is the operator's decision (see shared.log.kafka.retention)."""
