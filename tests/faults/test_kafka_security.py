"""What missing topics, rights and wrong credentials do to the log, on a real Kafka."""

import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from prequel.shared.environment import from_environment
from prequel.shared.log.base import LogUnavailable, Message
from prequel.shared.log.kafka.cluster import kafka_cluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.topics import TopicState
from tests.faults.kafka_logs import OpenLog, security_of
from tests.servers.certificates import Certificates
from tests.servers.kafka import Kafka
from tests.servers.kafka_settings import PASSWORD, UNPRIVILEGED_PASSWORD, UNPRIVILEGED_USER, USER

# Topics and rights.


def all_calls(log: KafkaLog, topic: str) -> list[Callable[[], object]]:
    return [
        lambda: log.append([Message(topic, b"k", b"v")]),
        lambda: log.bounds(topic),
        lambda: log.partitions(topic),
        lambda: log.follow(topic, {0: 0}).poll(1, 0.1),
        lambda: log.join("group", topic).poll(1, 0.1),
        lambda: log.lag("group", topic),
        lambda: log.read(topic, 0, [0]),
    ]


def test_a_missing_topic_is_reported_at_once(secured: Kafka, open_client: OpenLog) -> None:
    for call in all_calls(open_client(secured.bootstrap()), "nosuch")[:-1]:
        with pytest.raises(LogUnavailable, match="prequel topics"):
            call()


def test_a_user_without_rights_gets_an_error_that_says_so(
    secured: Kafka, open_client: OpenLog, secured_topic: str
) -> None:
    log = open_client(
        secured.bootstrap("SASL_PLAINTEXT"), "SASL_PLAINTEXT", "SCRAM-SHA-256", UNPRIVILEGED_USER, UNPRIVILEGED_PASSWORD
    )
    for call in all_calls(log, secured_topic)[:-1]:
        with pytest.raises(LogUnavailable, match="does not allow"):
            call()


def test_a_user_needs_no_more_rights_than_documented(secured: Kafka, open_client: OpenLog) -> None:
    admin = KafkaAdminClient(bootstrap_servers=secured.bootstrap())
    rights = [
        (ResourceType.TOPIC, "allowed", (ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE)),
        (ResourceType.GROUP, "allowed", (ACLOperation.READ,)),
    ]
    admin.create_acls(
        [
            ACL(f"User:{UNPRIVILEGED_USER}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
            for kind, name, operations in rights
            for operation in operations
        ]
    )
    admin.close()
    open_client(secured.bootstrap()).create("allowed", TopicState(1, 1, {}))
    log = open_client(
        secured.bootstrap("SASL_PLAINTEXT"), "SASL_PLAINTEXT", "PLAIN", UNPRIVILEGED_USER, UNPRIVILEGED_PASSWORD
    )
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
    secured: Kafka, open_client: OpenLog, tls_files: Certificates, secured_topic: str, protocol: str, mechanism: str
) -> None:
    settings = from_environment(
        {
            "PREQUEL_LOG": f"kafka://{secured.bootstrap(protocol)}",
            "PREQUEL_KAFKA_SECURITY": protocol,
            "PREQUEL_KAFKA_SASL": mechanism,
            "PREQUEL_KAFKA_USER": USER,
            "PREQUEL_KAFKA_PASSWORD": PASSWORD,
            "PREQUEL_KAFKA_CA": str(tls_files.ca),
        }
    )
    log = KafkaLog(kafka_cluster(settings))
    (position,) = log.append([Message(secured_topic, b"k", b"v")])
    assert log.read(secured_topic, 0, [position.offset])[position.offset].value == b"v"
    member = log.join(f"g-{secured_topic}", secured_topic)
    for _ in range(600):
        if member.poll(1, 0.1).assigned:
            break
    member.seek(0, position.offset)
    assert [record.value for record in member.poll(1, 5.0).records] == [b"v"]
    log.close()


def test_tls_with_a_client_certificate_works(
    secured: Kafka, open_client: OpenLog, tls_files: Certificates, secured_topic: str
) -> None:
    key, cert = tls_files.client.with_suffix(".key"), tls_files.client.with_suffix(".crt")
    for certificate in ((str(tls_files.client), ""), (str(cert), str(key))):
        log = open_client(secured.bootstrap("SSL"), "SSL", "", "", "", str(tls_files.ca), *certificate)
        assert len(log.append([Message(secured_topic, b"k", b"v")])) == 1


def refusal(match: str, *tries: Callable[[], object]) -> str:
    """The first try's error; the next, slower one's, where a busy machine had no time to find the reason."""
    message = ""
    for call in tries:
        with pytest.raises(LogUnavailable) as raised:
            call()
        message = str(raised.value)
        if re.search(match, message):
            break
    assert re.search(match, message)
    return message


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
    open_client: OpenLog,
    tls_files: Certificates,
    listener: str,
    security: tuple[str, ...],
    remedy: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)  # The most verbose that anybody could set.
    credentials = tuple(str(tls_files.ca) if part == "CA" else part for part in security)
    quick, slow = (open_client(secured.bootstrap(listener), *credentials, timeout_s=each) for each in (1.0, 10.0))
    message = refusal(remedy, lambda: quick.partitions("images"), lambda: slow.partitions("images"))
    for text in (message, caplog.text, repr(security_of(*credentials)), repr(quick._cluster)):
        assert "wrong-secret" not in text
        assert PASSWORD not in text


@pytest.mark.parametrize("servers", ["no.such.host.invalid:9092", "a b"])
def test_a_name_that_does_not_resolve_is_reported(open_client: OpenLog, servers: str) -> None:
    quick, slow = (open_client(servers, timeout_s=each) for each in (1.0, 10.0))
    refusal("does not resolve", lambda: quick.partitions("images"), lambda: slow.partitions("images"))


def test_an_address_without_kafka_is_reported_and_leaves_no_threads(open_client: OpenLog) -> None:
    quick, slow = (open_client("127.0.0.1:1", timeout_s=each) for each in (0.55, 10.0))
    before = set(threading.enumerate())
    for tries in zip(all_calls(quick, "images"), all_calls(slow, "images"), strict=True):
        refusal("nothing listens", *tries)
    assert set(threading.enumerate()) <= before


def test_certificates_are_read_when_they_are_needed(open_client: OpenLog, tmp_path: Path) -> None:
    log = open_client("127.0.0.1:1", "SSL", "", "", "", str(tmp_path / "no-such-file"))
    with pytest.raises(LogUnavailable, match="no-such-file"):
        log.partitions("images")
