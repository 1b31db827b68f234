"""Turns kafka-python's records into the log's."""

from typing import Any

from prequel.shared.log.base import Record
from prequel.shared.log.kafka.cluster import KafkaCluster


def to_record(record: Any, cluster: KafkaCluster) -> Record:
    """The client's record as the log's. Kafka allows no value at all, of a header too: that becomes an empty one."""
    return Record(
        cluster.name(record.topic),
        record.partition,
        record.offset,
        record.key,
        record.value or b"",
        tuple((name, value or b"") for name, value in record.headers),
        max(record.timestamp, 0) / 1000,  # Milliseconds; -1 where a producer sent none.
    )
