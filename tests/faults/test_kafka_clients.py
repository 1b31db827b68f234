"""What other people's clients and brokers' settings do to the log, on a real Kafka."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaProducer

from prequel.shared.environment import from_environment
from prequel.shared.log.base import TOPICS, LogUnavailable, Message, Record, RecordTooLarge
from prequel.shared.log.kafka.cluster import kafka_cluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.topics import TopicState, check, create
from tests.faults.kafka_logs import OpenLog
from tests.servers.kafka import Kafka


def read_all(log: KafkaLog, topic: str) -> list[Record]:
    begin, end = log.bounds(topic)[0]
    reader = log.follow(topic, {0: begin})
    records: list[Record] = []
    for _ in range(600):
        records += reader.poll(100, 0.1)
        if reader.positions()[0] >= end:
            return records
    pytest.fail(f"{len(records)} records, position {reader.positions()}, expected {end}")


# Records of other clients.


@pytest.fixture
def foreign_producer(secured: Kafka) -> Iterator[Callable[..., KafkaProducer]]:
    """A client of somebody else's, with options of its own."""
    opened: list[KafkaProducer] = []

    def start(**options: Any) -> KafkaProducer:
        opened.append(KafkaProducer(bootstrap_servers=secured.bootstrap(), **options))
        return opened[-1]

    yield start
    for producer in opened:
        producer.close(timeout=5)


class BadName(str):
    """A header's name that another client sends as bytes that are not UTF-8."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"ce_\xff\xfe"


def test_unusual_records_of_other_clients_are_read(
    secured: Kafka, open_client: OpenLog, secured_topic: str, foreign_producer: Callable[..., KafkaProducer]
) -> None:
    producer = foreign_producer(linger_ms=50)
    producer.send(secured_topic, b"before")
    producer.send(secured_topic, b"odd", headers=[(BadName(""), b"1"), ("fine", b"2")])
    producer.send(secured_topic, None, key=b"tombstone")
    producer.send(secured_topic, b"", timestamp_ms=0)
    producer.send(secured_topic, b"after", key=b"k")
    producer.flush()
    log = open_client(secured.bootstrap())
    records = read_all(log, secured_topic)
    assert [record.value for record in records] == [b"before", b"odd", b"", b"", b"after"]
    assert records[1].headers == (("ce_\\xff\\xfe", b"1"), ("fine", b"2"))
    assert [record.key for record in records] == [None, None, b"tombstone", None, b"k"]
    assert log.read(secured_topic, 0, [1, 4]) == {1: records[1], 4: records[4]}


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_records_are_read(
    secured: Kafka,
    open_client: OpenLog,
    secured_topic: str,
    foreign_producer: Callable[..., KafkaProducer],
    compression: str,
) -> None:
    producer = foreign_producer(compression_type=compression, linger_ms=20)
    for n in range(50):
        producer.send(secured_topic, b"value %d " % n * 100)
    producer.flush()
    log = open_client(secured.bootstrap())
    assert [record.value for record in read_all(log, secured_topic)] == [b"value %d " % n * 100 for n in range(50)]
    assert log.read(secured_topic, 0, [33])[33].value == b"value 33 " * 100


def test_records_of_an_aborted_foreign_transaction_are_never_read_and_block_nobody(
    secured: Kafka, open_client: OpenLog, secured_topic: str, foreign_producer: Callable[..., KafkaProducer]
) -> None:
    producer = foreign_producer(transactional_id=uuid.uuid4().hex)
    producer.init_transactions()
    for name, commit in (("a", False), ("b", True), ("c", False)):
        producer.begin_transaction()
        sent = [producer.send(secured_topic, f"{name}{n}".encode()) for n in range(3)]
        for future in sent:
            future.get(60)
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    log = open_client(secured.bootstrap())
    assert [record.value for record in read_all(log, secured_topic)] == [b"b0", b"b1", b"b2"]
    begin, end = log.bounds(secured_topic)[0]
    assert [record.value for _, record in sorted(log.read(secured_topic, 0, range(begin, end)).items())] == [
        b"b0",
        b"b1",
        b"b2",
    ]


# Sizes.


def test_a_batch_larger_than_the_topic_takes_is_split(secured: Kafka, open_client: OpenLog) -> None:
    log = open_client(secured.bootstrap())
    name = f"t-{uuid.uuid4().hex[:12]}"
    log.create(name, TopicState(1, 1, {"max.message.bytes": "20000"}))
    values = [b"%d:" % n + bytes(8_000) for n in range(100)]
    positions = log.append([Message(name, None, value) for value in values])
    assert [position.offset for position in positions] == list(range(100))
    assert [record.value for record in read_all(log, name)] == values
    with pytest.raises(RecordTooLarge, match=r"max\.message\.bytes"):
        log.append([Message(name, None, bytes(21_000))])


def test_a_record_larger_than_the_limit_is_refused_with_the_rest_of_its_append(
    secured: Kafka, open_client: OpenLog, secured_topic: str
) -> None:
    log = open_client(secured.bootstrap(), max_record_bytes=9 * 2**20)
    with pytest.raises(RecordTooLarge):
        log.append([Message(secured_topic, None, b"with"), Message(secured_topic, None, bytes(10 * 2**20))])
    log.append([Message(secured_topic, None, bytes(8 * 2**20))])
    assert log.bounds(secured_topic)[0].end == 1


def test_the_largest_image_goes_through(secured: Kafka, open_client: OpenLog) -> None:
    settings = from_environment({"PREQUEL_LOG": f"kafka://{secured.bootstrap()}"}, max_image_bytes=32 * 2**20)
    log = open_client(secured.bootstrap(), max_record_bytes=kafka_cluster(settings).max_record_bytes, timeout_s=30.0)
    assert create(log, settings) == list(TOPICS)
    assert check(log, settings) == []
    assert create(log, settings) == []
    image = bytes(range(256)) * (32 * 2**12) + b""
    assert len(image) == 32 * 2**20
    headers = (("ce_id", b"i" * 128), ("ce_label", b"l" * 128))
    first, second = log.append([Message("images", b"pets", image, headers)] * 2)
    reader = log.follow("images", {first.partition: first.offset})
    records: list[Record] = []
    while len(records) < 2:
        records += reader.poll(10, 5.0)
    assert [record.value == image for record in records] == [True, True]
    assert log.read("images", second.partition, [second.offset])[second.offset].value == image
    smaller = from_environment({"PREQUEL_LOG": f"kafka://{secured.bootstrap()}"}, kafka_partitions=3)
    assert [mismatch.setting for mismatch in check(log, smaller)] == ["partitions"] * 4


def test_more_copies_than_brokers_are_refused(secured: Kafka, open_client: OpenLog) -> None:
    with pytest.raises(LogUnavailable, match="PREQUEL_KAFKA_REPLICATION"):
        open_client(secured.bootstrap()).create("copies", TopicState(1, 3, {}))
