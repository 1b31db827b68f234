"""The log on Kafka keeps the contract of the log, on a real broker."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from kafka import KafkaAdminClient, TopicPartition

from prequel.shared.log.base import IMAGES, Log, Message
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.topics import TopicState
from tests.contracts.group_contract import GroupContract
from tests.contracts.log_contract import LogContract, MakeLog, Opening

LIMIT = 2**20
SESSION_S = 6.0
PREFIX = "staging."


@pytest.fixture
def timeout_s() -> float:
    return 60.0


@pytest.fixture
def too_large() -> int:
    return LIMIT + 1


@pytest.fixture
def cluster(kafka_bootstrap: str) -> KafkaCluster:
    """With a topic prefix; the tests of the whole system run without one."""
    return KafkaCluster(kafka_bootstrap, session_s=SESSION_S, topic_prefix=PREFIX)


@pytest.fixture
def with_topics(cluster: KafkaCluster) -> Iterator[Callable[[dict[str, int]], None]]:
    """Sees to it that topics exist, and deletes them at the end."""
    log = KafkaLog(cluster)
    made: list[str] = []

    def make(partitions: dict[str, int]) -> None:
        for topic in partitions.keys() - log.describe(list(partitions)).keys():
            log.create(topic, TopicState(partitions[topic], 1, {"max.message.bytes": str(LIMIT)}))
            made.append(topic)

    yield make
    log.close()
    admin = KafkaAdminClient(bootstrap_servers=cluster.servers)
    admin.delete_topics([cluster.topic(topic) for topic in made])
    admin.close()


@pytest.fixture
def make_log(cluster: KafkaCluster, with_topics: Callable[[dict[str, int]], None]) -> Iterator[MakeLog]:
    opened: list[Log] = []

    def make(partitions: dict[str, int]) -> Log:
        with_topics(partitions)
        opened.append(KafkaLog(cluster))
        return opened[-1]

    yield make
    for log in opened:
        log.close()


@pytest.fixture
def opening(cluster: KafkaCluster, with_topics: Callable[[dict[str, int]], None]) -> Opening:
    def source(partitions: dict[str, int]) -> str:
        with_topics(partitions)
        return (
            "from prequel.shared.log.kafka.cluster import KafkaCluster\n"
            "from prequel.shared.log.kafka.log import KafkaLog\n"
            f"log = KafkaLog(KafkaCluster({cluster.servers!r}, session_s={SESSION_S}, topic_prefix={PREFIX!r}))"
        )

    return source


@pytest.fixture
def expire(cluster: KafkaCluster) -> Callable[[str, int, int], None]:
    def delete(topic: str, partition: int, before: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=cluster.servers)
        admin.delete_records({TopicPartition(cluster.topic(topic), partition): before})
        admin.close()

    return delete


class TestKafkaLog(LogContract):
    pass


class TestKafkaGroups(GroupContract):
    pass


def test_two_prequels_share_a_cluster(kafka_bootstrap: str) -> None:
    """Each with a prefix of its own sees its own topics only, under the names that everybody uses."""
    logs = [KafkaLog(KafkaCluster(kafka_bootstrap, topic_prefix=prefix)) for prefix in ("east.", "west.")]
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    try:
        for number, log in enumerate(logs):
            log.create(IMAGES, TopicState(1, 1, {}))
            log.append([Message(IMAGES, b"pets", b"?" * size) for size in range(1, 2 + number)])
        assert set(admin.list_topics()) >= {"east.images", "west.images"}
        for number, log in enumerate(logs):
            assert log.bounds(IMAGES) == {0: (0, 1 + number)}
            assert set(log.describe([IMAGES])) == {IMAGES}
            with closing(log.follow(IMAGES, {0: 0})) as reader:
                records = [record for _ in range(1 + number) for record in reader.poll(1, 30.0)]
            assert [(record.topic, record.offset) for record in records] == [(IMAGES, n) for n in range(1 + number)]
            assert log.read(IMAGES, 0, [0])[0].topic == IMAGES
    finally:
        for log in logs:
            log.close()
        admin.delete_topics(["east.images", "west.images"])
        admin.close()
