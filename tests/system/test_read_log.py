"""`prequel.read` of a log on Kafka: by its address alone, and with the store of the system that wrote it."""

from contextlib import closing
from typing import Any

import prequel
from prequel.services.learner.snapshots.root import root_key
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.log.partitioner import partition_for
from tests.servers.ports import wait_until
from tests.system import events
from tests.system.cluster import DEADLINE_S, Cluster, all_ready

STREAMS = ("garden", "street")


def read(cluster: Cluster, what: Any, **more: Any) -> list[dict[str, Any]]:
    return list(prequel.read(f"kafka://{cluster.kafka.bootstrap()}", what=what, **more))


def test_a_log_on_kafka_gives_the_same_rows_with_the_store_and_without(cluster: Cluster, log: KafkaLog) -> None:
    for stream in STREAMS:
        log.append([events.features(stream, f"e{number}", [number, 1.0], "ab"[number % 2]) for number in range(6)])
        log.append([events.label(stream, "e0", "b"), events.label(stream, "e1", None)])
    expected = [("e0", "b"), ("e2", "a"), ("e3", "b"), ("e4", "a"), ("e5", "b")]
    alone = {stream: read(cluster, "labels", stream=stream) for stream in STREAMS}
    assert {stream: [(row["id"], row["label"]) for row in rows] for stream, rows in alone.items()} == dict.fromkeys(
        STREAMS, expected
    )
    learner = cluster.start("learner")
    all_ready(learner)
    store = {"settings": {"store": learner[0].environment["PREQUEL_STORE"]}}
    keys = [root_key(partition_for(stream.encode(), 4)) for stream in STREAMS]
    with closing(cluster.store()) as redis:
        wait_until(lambda: all(map(redis.get, keys)), DEADLINE_S, "snapshots")
    for stream in STREAMS:
        assert read(cluster, "labels", stream=stream, **store) == alone[stream]
        features = read(cluster, "features", stream=stream, **store)
        assert [row["features"].tolist() for row in features] == [[number, 1.0] for number in range(6)]
    records = read(cluster, "events", topics=["examples"])
    of_streams = [row for row in records if row["stream"]]
    assert sorted({row["stream"] for row in of_streams}) == sorted(STREAMS)
    assert len(of_streams) == 16
