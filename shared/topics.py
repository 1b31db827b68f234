"""The topics that Prequel needs: what they must be, how they are created, what is wrong with those that exist."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import TOPICS
from prequel.shared.log.kafka.retention import kafka_settings

MAX_OVERHEAD_BYTES = 64 * 2**10
"""What key, headers and framing may add to the largest value."""

MIN_RECORD_BYTES = 2**20 + MAX_OVERHEAD_BYTES
"""Also where images are kept small: feature vectors and batches of records have to fit."""


class TopicState(NamedTuple):
    """A topic as it is or should be; ``settings`` by Kafka's names."""

    partitions: int
    replication: int
    settings: Mapping[str, str]


@runtime_checkable
class Cluster(Protocol):
    """Where topics are. Every call may block and raises LogUnavailable."""

    def describe(self, topics: Sequence[str]) -> dict[str, TopicState]:
        """Those of the topics that exist, with the settings in force."""
        ...

    def create(self, topic: str, state: TopicState) -> None:
        """Create a topic and wait until it can be used. One that exists is left as it is."""
        ...


class TopicProblem(NamedTuple):
    """One setting of one topic that will not do, and what to do about it."""

    topic: str
    setting: str
    actual: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.setting} is {self.actual}, expected {self.expected}. {self.remedy}"


def expected_topics(settings: Settings) -> dict[str, TopicState]:
    """What every topic should be, by the settings PREQUEL_KAFKA_* and PREQUEL_MAX_IMAGE_BYTES.

    Raises ConfigError where they make no topic that could be used.
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
    """What a topic is called where the log is."""
    return f"{settings.kafka_topic_prefix}{topic}" if settings.log_url.startswith("kafka://") else topic


def create(cluster: Cluster, settings: Settings) -> list[str]:
    """Create the topics that are missing and return their names. Those that exist are left as they are."""
    plan = expected_topics(settings)
    found = cluster.describe(list(plan))
    missing = [topic for topic in plan if topic not in found]
    for topic in missing:
        cluster.create(topic, plan[topic])
    return missing


def check(cluster: Cluster, settings: Settings) -> list[TopicProblem]:
    """Everything that is wrong with the topics; nothing means that they will do."""
    plan = expected_topics(settings)
    found = cluster.describe(list(plan))
    servers = settings.log_url.removeprefix("kafka://").rstrip("/")
    return [
        mismatch
        for topic, should in plan.items()
        for name in [topic_name(settings, topic)]
        for mismatch in (_compare(name, should, found[topic], servers) if topic in found else [_absent(name)])
    ]


def _absent(topic: str) -> TopicProblem:
    return TopicProblem(topic, "existence", "no", "yes", "Run: prequel topics")


def _compare(topic: str, should: TopicState, found: TopicState, servers: str) -> list[TopicProblem]:
    wrong = []
    if found.partitions != should.partitions:
        # More partitions would move streams away from their state; fewer are not possible.
        remedy = f"Set PREQUEL_KAFKA_PARTITIONS={found.partitions}, or start over with empty topics"
        wrong.append(TopicProblem(topic, "partitions", str(found.partitions), str(should.partitions), remedy))
    if found.replication < should.replication:
        remedy = (
            f"Run: kafka-reassign-partitions.sh --bootstrap-server {servers} --execute --reassignment-json-file FILE, "
            f"or set PREQUEL_KAFKA_REPLICATION={found.replication}"
        )
        wrong.append(
            TopicProblem(topic, "replication factor", str(found.replication), f"at least {should.replication}", remedy)
        )
    for setting, least in should.settings.items():
        if setting in _JUDGES and not _JUDGES[setting](found.settings.get(setting, ""), least):
            change = f"--alter --entity-type topics --entity-name {topic} --add-config {setting}={least}"
            remedy = f"Run: kafka-configs.sh --bootstrap-server {servers} {change}"
            wrong.append(TopicProblem(topic, setting, found.settings.get(setting, "unknown"), least, remedy))
    return wrong


def _same(found: str, should: str) -> bool:
    return found == should


def _at_least(found: str, should: str) -> bool:
    """-1 stands for no limit."""
    limit = {"-1": float("inf")}
    return limit.get(found, float(found or "-inf")) >= limit.get(should, float(should))


_JUDGES = {
    "cleanup.policy": _same,
    "max.message.bytes": _at_least,
    "min.insync.replicas": _at_least,
}
"""What is checked of a topic that somebody else made. Who sets its times does not matter to us, and how long it is kept
is the operator's business (see shared.log.kafka.retention)."""
