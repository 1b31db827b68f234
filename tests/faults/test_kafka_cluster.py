"""What becomes of appends and readers while each of three brokers is killed and stopped in turn."""

from pathlib import Path

import pytest

from prequel.shared.log.base import LogUnavailable, Message
from prequel.shared.log.kafka.log import KafkaLog
from tests.faults.kafka_logs import OpenLog
from tests.faults.kafka_traffic import TIMEOUT_S, Appender, Follower, check_log, new_topic
from tests.servers.kafka import Kafka
from tests.servers.ports import wait_until


@pytest.mark.soak
def test_with_three_brokers_any_of_them_may_be_restarted_at_any_time(tmp_path: Path, open_log: OpenLog) -> None:
    with Kafka(tmp_path / "three", 3) as cluster:
        log = open_log(cluster.bootstrap(), timeout_s=5.0, delivery_s=15.0, session_s=6.0)
        name = new_topic(log, copies=3, min_insync_replicas="2")
        appender, follower = Appender(log, name), Follower(log.follow(name, {0: 0}))
        appender.start()
        follower.start()
        for node in cluster.nodes:
            for how in (cluster.kill, cluster.stop_one):
                mark = len(appender.acknowledged)
                wait_until(lambda m=mark: len(appender.acknowledged) > m + 20, TIMEOUT_S, "appends")  # type: ignore[misc]
                how(node.number)
                mark = len(appender.acknowledged)
                wait_until(lambda m=mark: len(appender.acknowledged) > m + 20, TIMEOUT_S, "appends on two")  # type: ignore[misc]
                cluster.start()
                wait_until(lambda: in_sync(log, name) == 3, TIMEOUT_S, "all in sync")
        appender.finish()
        check_log(log, name, appender, follower)
        cluster.kill(1)
        cluster.kill(2)
        with pytest.raises(LogUnavailable):
            log.append([Message(name, b"k", b"0:")])


def in_sync(log: KafkaLog, topic: str) -> int:
    try:
        (description,) = log._admin._ask("looking", lambda client: client.describe_topics([topic]))
    except LogUnavailable:
        return 0
    return len(description["partitions"][0]["isr_nodes"])
