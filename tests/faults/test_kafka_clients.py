"""What other people's clients, brokers' settings and credentials do to the log, on a real Kafka."""

import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from prequel.shared.environment import from_environment
from prequel.shared.log.base import TOPICS, LogUnavailable, Message, Record, RecordTooLarge
from prequel.shared.log.kafka.cluster import KafkaCluster, kafka_cluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.log.kafka.security import KafkaSecurity
from prequel.shared.topics import TopicState, check, create
from tests.servers.jars import NoKafka
from tests.servers.kafka import PASSWORD, STRANGER, STRANGER_PASSWORD, USER, Certificates, Kafka, certificates
from tests.servers.ports import wait_until
from tests.servers.session import missing

Open = Callable[..., KafkaLog]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, papers: Certificates) -> Iterator[Kafka]:
    """A broker with every kind of listener, and an authorizer."""
    try:
        server = Kafka(tmp_path_factory.mktemp("secured") / "cluster", certificates=papers)
        server.start()
    except NoKafka as error:
        missing(str(error))
    yield server
    server.discard()


@pytest.fixture
def open_log() -> Iterator[Open]:
    opened: list[KafkaLog] = []

    def start(servers: str, *security: str, **given: Any) -> KafkaLog:
        options = {"timeout_s": 10.0} | given
        opened.append(KafkaLog(KafkaCluster(servers, KafkaSecurity(*security), **options)))
        return opened[-1]

    yield start
    for log in opened:
        log.close()
    wait_until(lambda: not clients(), 60, f"the end of all clients: {clients()}")


def clients() -> list[str]:
    """Threads of kafka-python's that are still there."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kafka-")]


@pytest.fixture
def topic(secured: Kafka, open_log: Open) -> str:
    name = f"t-{uuid.uuid4().hex[:12]}"
    open_log(secured.bootstrap()).create(name, TopicState(1, 1, {}))
    return name


def everything(log: KafkaLog, topic: str) -> list[Record]:
    begin, end = log.bounds(topic)[0]
    reader = log.follow(topic, {0: begin})
    records: list[Record] = []
    for _ in range(600):
        records += reader.poll(100, 0.1)
        if reader.positions()[0] >= end:
            return records
    pytest.fail(f"{len(records)} records, position {reader.positions()}, wanted {end}")


# Other people's records.


@pytest.fixture
def stranger(secured: Kafka) -> Iterator[Callable[..., KafkaProducer]]:
    """Some other client, with its own ideas."""
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


def test_odd_records_of_other_clients_are_read(
    secured: Kafka, open_log: Open, topic: str, stranger: Callable[..., KafkaProducer]
) -> None:
    producer = stranger(linger_ms=50)
    producer.send(topic, b"before")
    producer.send(topic, b"odd", headers=[(BadName(""), b"1"), ("fine", b"2")])
    producer.send(topic, None, key=b"tombstone")
    producer.send(topic, b"", timestamp_ms=0)
    producer.send(topic, b"after", key=b"k")
    producer.flush()
    log = open_log(secured.bootstrap())
    records = everything(log, topic)
    assert [record.value for record in records] == [b"before", b"odd", b"", b"", b"after"]
    assert records[1].headers == (("ce_\\xff\\xfe", b"1"), ("fine", b"2"))
    assert [record.key for record in records] == [None, None, b"tombstone", None, b"k"]
    assert log.read(topic, 0, [1, 4]) == {1: records[1], 4: records[4]}


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_records_are_read(
    secured: Kafka, open_log: Open, topic: str, stranger: Callable[..., KafkaProducer], compression: str
) -> None:
    producer = stranger(compression_type=compression, linger_ms=20)
    for n in range(50):
        producer.send(topic, b"value %d " % n * 100)
    producer.flush()
    log = open_log(secured.bootstrap())
    assert [record.value for record in everything(log, topic)] == [b"value %d " % n * 100 for n in range(50)]
    assert log.read(topic, 0, [33])[33].value == b"value 33 " * 100


def test_what_a_foreign_transaction_aborted_is_never_seen_and_holds_nobody_up(
    secured: Kafka, open_log: Open, topic: str, stranger: Callable[..., KafkaProducer]
) -> None:
    producer = stranger(transactional_id=uuid.uuid4().hex)
    producer.init_transactions()
    for name, commit in (("a", False), ("b", True), ("c", False)):
        producer.begin_transaction()
        sent = [producer.send(topic, f"{name}{n}".encode()) for n in range(3)]
        for future in sent:
            future.get(60)
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    log = open_log(secured.bootstrap())
    assert [record.value for record in everything(log, topic)] == [b"b0", b"b1", b"b2"]
    begin, end = log.bounds(topic)[0]
    assert [record.value for _, record in sorted(log.read(topic, 0, range(begin, end)).items())] == [
        b"b0",
        b"b1",
        b"b2",
    ]


# Sizes.


def test_a_batch_larger_than_the_topic_takes_is_divided(secured: Kafka, open_log: Open) -> None:
    log = open_log(secured.bootstrap())
    name = f"t-{uuid.uuid4().hex[:12]}"
    log.create(name, TopicState(1, 1, {"max.message.bytes": "20000"}))
    values = [b"%d:" % n + bytes(8_000) for n in range(100)]
    positions = log.append([Message(name, None, value) for value in values])
    assert [position.offset for position in positions] == list(range(100))
    assert [record.value for record in everything(log, name)] == values
    with pytest.raises(RecordTooLarge, match=r"max\.message\.bytes"):
        log.append([Message(name, None, bytes(21_000))])


def test_a_record_larger_than_we_send_is_refused_with_all_that_came_with_it(
    secured: Kafka, open_log: Open, topic: str
) -> None:
    log = open_log(secured.bootstrap(), max_record_bytes=9 * 2**20)
    with pytest.raises(RecordTooLarge):
        log.append([Message(topic, None, b"with"), Message(topic, None, bytes(10 * 2**20))])
    log.append([Message(topic, None, bytes(8 * 2**20))])
    assert log.bounds(topic)[0].end == 1


def test_the_largest_image_goes_through(secured: Kafka, open_log: Open) -> None:
    given = from_environment({"PREQUEL_LOG": f"kafka://{secured.bootstrap()}"}, max_image_bytes=32 * 2**20)
    log = open_log(secured.bootstrap(), max_record_bytes=kafka_cluster(given).max_record_bytes, timeout_s=30.0)
    assert create(log, given) == list(TOPICS)
    assert check(log, given) == []
    assert create(log, given) == []
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


def test_more_copies_than_brokers_are_refused(secured: Kafka, open_log: Open) -> None:
    with pytest.raises(LogUnavailable, match="PREQUEL_KAFKA_REPLICATION"):
        open_log(secured.bootstrap()).create("copies", TopicState(1, 3, {}))


# Topics and rights.


def uses(log: KafkaLog, topic: str) -> list[Callable[[], object]]:
    return [
        lambda: log.append([Message(topic, b"k", b"v")]),
        lambda: log.bounds(topic),
        lambda: log.partitions(topic),
        lambda: log.follow(topic, {0: 0}).poll(1, 0.1),
        lambda: log.join("group", topic).poll(1, 0.1),
        lambda: log.lag("group", topic),
        lambda: log.read(topic, 0, [0]),
    ]


def test_a_missing_topic_is_said_at_once(secured: Kafka, open_log: Open) -> None:
    for use in uses(open_log(secured.bootstrap()), "nosuch")[:-1]:
        with pytest.raises(LogUnavailable, match="prequel topics"):
            use()


def test_a_user_without_rights_is_told(secured: Kafka, open_log: Open, topic: str) -> None:
    log = open_log(secured.bootstrap("SASL_PLAINTEXT"), "SASL_PLAINTEXT", "SCRAM-SHA-256", STRANGER, STRANGER_PASSWORD)
    for use in uses(log, topic)[:-1]:
        with pytest.raises(LogUnavailable, match="does not allow"):
            use()


def test_a_user_needs_no_more_rights_than_we_say(secured: Kafka, open_log: Open) -> None:
    admin = KafkaAdminClient(bootstrap_servers=secured.bootstrap())
    wanted = [
        (ResourceType.TOPIC, "allowed", (ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE)),
        (ResourceType.GROUP, "allowed", (ACLOperation.READ,)),
    ]
    admin.create_acls(
        [
            ACL(f"User:{STRANGER}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
            for kind, name, operations in wanted
            for operation in operations
        ]
    )
    admin.close()
    open_log(secured.bootstrap()).create("allowed", TopicState(1, 1, {}))
    log = open_log(secured.bootstrap("SASL_PLAINTEXT"), "SASL_PLAINTEXT", "PLAIN", STRANGER, STRANGER_PASSWORD)
    log.append([Message("allowed", b"k", b"v")])
    assert log.read("allowed", 0, [0])[0].value == b"v"
    assert log.bounds("allowed") == {0: (0, 1)}
    member = log.join("allowed", "allowed")
    for _ in range(600):
        if member.poll(1, 0.1).assigned:
            break
    member.seek(0, 0)
    assert len(member.poll(1, 5.0).records) == 1
    member.commit({0: 1})
    assert log.lag("allowed", "allowed") == {0: 0}


# Credentials.


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_every_kind_of_login_works(
    secured: Kafka, open_log: Open, papers: Certificates, topic: str, protocol: str, mechanism: str
) -> None:
    given = from_environment(
        {
            "PREQUEL_LOG": f"kafka://{secured.bootstrap(protocol)}",
            "PREQUEL_KAFKA_SECURITY": protocol,
            "PREQUEL_KAFKA_SASL": mechanism,
            "PREQUEL_KAFKA_USER": USER,
            "PREQUEL_KAFKA_PASSWORD": PASSWORD,
            "PREQUEL_KAFKA_CA": str(papers.ca),
        }
    )
    log = KafkaLog(kafka_cluster(given))
    (position,) = log.append([Message(topic, b"k", b"v")])
    assert log.read(topic, 0, [position.offset])[position.offset].value == b"v"
    member = log.join(f"g-{topic}", topic)
    for _ in range(600):
        if member.poll(1, 0.1).assigned:
            break
    member.seek(0, position.offset)
    assert [record.value for record in member.poll(1, 5.0).records] == [b"v"]
    log.close()


def test_tls_with_a_client_certificate_works(secured: Kafka, open_log: Open, papers: Certificates, topic: str) -> None:
    key, cert = papers.client.with_suffix(".key"), papers.client.with_suffix(".crt")
    for certificate in ((str(papers.client), ""), (str(cert), str(key))):
        log = open_log(secured.bootstrap("SSL"), "SSL", "", "", "", str(papers.ca), *certificate)
        assert len(log.append([Message(topic, b"k", b"v")])) == 1


def refused(match: str, *tries: Callable[[], object]) -> str:
    """What the first try says; the next, which takes longer, where a busy machine had no time to find out why."""
    said = ""
    for use in tries:
        with pytest.raises(LogUnavailable) as raised:
            use()
        said = str(raised.value)
        if re.search(match, said):
            break
    assert re.search(match, said)
    return said


WRONG = [
    ("SASL_PLAINTEXT", ("SASL_PLAINTEXT", "PLAIN", USER, "wrong-secret"), "PREQUEL_KAFKA_PASSWORD"),
    ("SASL_PLAINTEXT", ("SASL_PLAINTEXT", "SCRAM-SHA-512", USER, "wrong-secret"), "PREQUEL_KAFKA_PASSWORD"),
    ("SASL_SSL", ("SASL_SSL", "PLAIN", USER, PASSWORD), "PREQUEL_KAFKA_CA"),
    ("SSL", ("SSL", "", "", "", "CA"), "PREQUEL_KAFKA_CERT"),
    ("SSL", ("SSL", "", "", "", "/no/such/file"), "PREQUEL_KAFKA_CA"),
    ("SSL", ("PLAINTEXT",), "PREQUEL_KAFKA_SECURITY"),
    ("SASL_PLAINTEXT", ("PLAINTEXT",), "PREQUEL_KAFKA_SECURITY"),
    ("PLAINTEXT", ("SSL", "", "", "", "CA"), "PREQUEL_KAFKA_SECURITY"),
]


@pytest.mark.parametrize(("listener", "security", "remedy"), WRONG)
def test_wrong_credentials_name_the_setting_and_never_the_secret(
    secured: Kafka,
    open_log: Open,
    papers: Certificates,
    listener: str,
    security: tuple[str, ...],
    remedy: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)  # The most talkative that anybody could set.
    given = tuple(str(papers.ca) if part == "CA" else part for part in security)
    quick, patient = (open_log(secured.bootstrap(listener), *given, timeout_s=each) for each in (1.0, 10.0))
    said = refused(remedy, lambda: quick.partitions("images"), lambda: patient.partitions("images"))
    for text in (said, caplog.text, repr(KafkaSecurity(*given)), repr(quick._cluster)):
        assert "wrong-secret" not in text
        assert PASSWORD not in text


@pytest.mark.parametrize("servers", ["no.such.host.invalid:9092", "a b"])
def test_a_name_that_does_not_resolve_is_said(open_log: Open, servers: str) -> None:
    quick, patient = (open_log(servers, timeout_s=each) for each in (1.0, 10.0))
    refused("does not resolve", lambda: quick.partitions("images"), lambda: patient.partitions("images"))


def test_an_address_without_kafka_is_said_and_leaves_no_threads(open_log: Open) -> None:
    quick, patient = (open_log("127.0.0.1:1", timeout_s=each) for each in (0.55, 10.0))
    before = set(threading.enumerate())
    for tries in zip(uses(quick, "images"), uses(patient, "images"), strict=True):
        refused("nothing listens", *tries)
    assert set(threading.enumerate()) <= before


def test_certificates_are_read_when_they_are_needed(open_log: Open, tmp_path: Path) -> None:
    log = open_log("127.0.0.1:1", "SSL", "", "", "", str(tmp_path / "no-such-file"))
    with pytest.raises(LogUnavailable, match="no-such-file"):
        log.partitions("images")
