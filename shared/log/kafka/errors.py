"""Translates kafka-python's errors into the log's, each with what to do about it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import errors as kafka_errors

from prequel.shared.log.base import Bounds, LogUnavailable, OffsetOutOfRange, RecordTooLarge
from prequel.shared.log.kafka.cluster import KafkaCluster


class CoordinatorMoved(LogUnavailable):
    """The brokers are electing the group's coordinator: ask again soon."""


class MembershipLost(LogUnavailable):
    """The group has evicted this member, or is just reassigning its partitions."""


@contextmanager
def translated(cluster: KafkaCluster, action: str) -> Iterator[None]:
    """Raise LogUnavailable with a remedy, or RecordTooLarge, for whatever the client raises.

    ``action`` begins the message: "appending to images".
    """
    try:
        yield
    except kafka_errors.KafkaError as error:
        raise log_error(cluster, action, error) from error


@contextmanager
def translated_read(cluster: KafkaCluster, consumer: Any, topic: str) -> Iterator[None]:
    """As ``translated``, and OffsetOutOfRange where a position is not in the log; may then block to ask the bounds."""
    action = f"reading {topic}"
    try:
        with translated(cluster, action):
            yield
    except LogUnavailable as error:
        out_of_range = _positions_out_of_range(error.__cause__)
        if not out_of_range:
            raise
        with translated(cluster, action):
            (partition, offset), *_ = sorted(out_of_range.items())
            (begin,) = consumer.beginning_offsets([partition], cluster.timeout_ms).values()
            (end,) = consumer.end_offsets([partition], cluster.timeout_ms).values()
        raise OffsetOutOfRange(cluster.name(topic), partition.partition, offset, Bounds(begin, end)) from error


def log_error(cluster: KafkaCluster, action: str, error: Exception) -> LogUnavailable | RecordTooLarge:
    """The log's error for one of the client's."""
    kind = type(error).__name__
    if isinstance(error, kafka_errors.MessageSizeTooLargeError | kafka_errors.RecordListTooLargeError):
        return RecordTooLarge(f"{action}: the broker does not take records of this size: {error}; see `prequel topics`")
    if isinstance(error, _MEMBERSHIP_LOST):
        return MembershipLost(f"{action}: the group goes on without this member ({kind})")
    if isinstance(error, _NO_COORDINATOR):
        return CoordinatorMoved(f"{action}: the brokers are still electing the group's coordinator ({kind})")
    for error_type, remedy in _REMEDIES.items():
        if isinstance(error, error_type):
            return LogUnavailable(f"{action}: {remedy} ({kind})")
    return LogUnavailable(f"{action}: Kafka at {cluster.servers} answered {error}")


def connection_error(cluster: KafkaCluster, library_log: str, error: Exception) -> LogUnavailable:
    """Why no client could be made, from what kafka-python logged meanwhile: its exception does not say."""
    where = f"Kafka at {cluster.servers} ({cluster.security.protocol}) cannot be used: "
    for sign, remedy in _CONNECTION_REMEDIES.items():
        if sign in library_log:
            return LogUnavailable(where + remedy)
    return LogUnavailable(f"{where}{error}. Check that it runs and that PREQUEL_LOG names its address")


def broker_error(code: int, topic: str) -> Exception:
    """The client's exception for an error code in a broker's answer."""
    return kafka_errors.for_code(code)(topic)  # type: ignore[no-any-return]  # the library has no types


def _positions_out_of_range(error: BaseException | None) -> dict[Any, int]:
    """Partition -> position for errors that say that a position is not, or no longer, in the log."""
    if isinstance(error, kafka_errors.OffsetOutOfRangeError):
        return dict(error.args[0])
    if isinstance(error, kafka_errors.LogTruncationError):
        return {partition: at.offset if at else -1 for partition, at in error.divergent_offsets.items()}
    return {}


_MEMBERSHIP_LOST = (
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.RebalanceInProgressError,
    kafka_errors.UnknownMemberIdError,
)

_NO_COORDINATOR = (
    kafka_errors.CoordinatorLoadInProgressError,
    kafka_errors.CoordinatorNotAvailableError,
    kafka_errors.NotCoordinatorError,
)

# The order matters: permanent causes first, because kafka-python goes on trying, and logs what follows from them too.
_CONNECTION_REMEDIES: Mapping[str, str] = {
    "SaslAuthenticationFailedError": "it refuses the user or password, and waiting will not help. "
    "Check PREQUEL_KAFKA_USER, PREQUEL_KAFKA_PASSWORD and PREQUEL_KAFKA_SASL",
    "UnsupportedSaslMechanism": "it does not offer this SASL mechanism, and waiting will not help. "
    "Check PREQUEL_KAFKA_SASL",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not to be trusted, and waiting will not help. "
    "Check PREQUEL_KAFKA_CA and that the host names in PREQUEL_LOG are those of the certificate",
    "_ALERT_": "it refuses our certificate or wants one, and waiting will not help. "
    "Check PREQUEL_KAFKA_CERT and PREQUEL_KAFKA_KEY",
    "Handshake failed": "the TLS handshake failed, and waiting will not help. "
    "Check PREQUEL_KAFKA_SECURITY, PREQUEL_KAFKA_CA, PREQUEL_KAFKA_CERT and PREQUEL_KAFKA_KEY",
    "DNS": "a host name does not resolve. Check PREQUEL_LOG",
    "ECONNREFUSED": "nothing listens there. Check that it runs and that PREQUEL_LOG names its address",
    "socket disconnected": "it closes the connection: it is starting or stopping, or PREQUEL_KAFKA_SECURITY, "
    "PREQUEL_KAFKA_SASL, PREQUEL_KAFKA_USER or PREQUEL_KAFKA_PASSWORD is not what it expects",
}

# The order matters here too: RetriableError is the base class of many of those above it.
_REMEDIES: Mapping[type[Exception], str] = {
    kafka_errors.SaslAuthenticationFailedError: "Kafka refuses the user or password; check PREQUEL_KAFKA_USER and "
    "PREQUEL_KAFKA_PASSWORD",
    kafka_errors.AuthorizationError: "Kafka does not allow this user to do so, and waiting will not help; grant it "
    "READ, WRITE and DESCRIBE on the topics, READ on the groups and IDEMPOTENT_WRITE on the cluster",
    kafka_errors.UnknownTopicOrPartitionError: "the topic does not exist; create it with `prequel topics`",
    kafka_errors.NotEnoughReplicasError: "fewer brokers are in sync than min.insync.replicas asks for; bring brokers "
    "back",
    kafka_errors.NotEnoughReplicasAfterAppendError: "fewer brokers are in sync than min.insync.replicas asks for; "
    "bring brokers back",
    kafka_errors.InvalidReplicationFactorError: "there are fewer brokers than copies asked for; start brokers or lower "
    "PREQUEL_KAFKA_REPLICATION",
    kafka_errors.KafkaStorageError: "a broker cannot write to its disk; make room, or see the broker's log",
    kafka_errors.UnsupportedVersionError: "the brokers are too old, and waiting will not help; Kafka 3.0 or later is "
    "needed",
    kafka_errors.KafkaTimeoutError: "Kafka does not answer in time; check that enough brokers run",
    kafka_errors.RetriableError: "Kafka is not ready; check that enough brokers run",
}
