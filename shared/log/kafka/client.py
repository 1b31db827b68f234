"""Kafka's clients with the settings that keep our promises, and their errors as ours."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.net.compat import KafkaNetClient
from kafka.protocol.consumer import IsolationLevel, OffsetSpec
from kafka.structs import OffsetAndMetadata

from prequel.shared.log.base import LogUnavailable, OffsetOutOfRange, RecordTooLarge
from prequel.shared.log.kafka.repairs import repaired
from prequel.shared.log.kafka.security import KafkaSecurity, keep_passwords_out_of_logs
from prequel.shared.runtime.deadlines import (
    KAFKA_CLOSE_S,
    KAFKA_DELIVERY_S,
    KAFKA_RECONNECT_CAP_S,
    KAFKA_REQUEST_S,
    KAFKA_SESSION_S,
    KAFKA_SILENCE_S,
)
from prequel.shared.topics import MAX_OVERHEAD_BYTES

NO_GENERATION = -1
"""The generation of a consumer that is no member of its group, whatever else it says."""

EARLIEST, LATEST, COMMITTED_ONLY = OffsetSpec.EARLIEST, OffsetSpec.LATEST, IsolationLevel.READ_COMMITTED

broker_error = kafka_errors.for_code
AuthorizationError = kafka_errors.AuthorizationError
TopicAlreadyExistsError = kafka_errors.TopicAlreadyExistsError

__all__ = [
    "COMMITTED_ONLY",
    "EARLIEST",
    "LATEST",
    "NO_GENERATION",
    "AuthorizationError",
    "ConfigResource",
    "ConsumerRebalanceListener",
    "KafkaCluster",
    "CoordinatorMoved",
    "MembershipLost",
    "TopicAlreadyExistsError",
    "OffsetAndMetadata",
    "TopicPartition",
    "broker_error",
]


class CoordinatorMoved(LogUnavailable):
    """The broker that looks after a group is just being made out: ask again soon."""


class MembershipLost(LogUnavailable):
    """The group goes on without this member, or is just dividing the partitions anew."""


@dataclass(frozen=True)
class KafkaCluster:
    """Where Kafka is and what its clients may take of time and memory; makes such clients.

    ``timeout_s`` bounds one request, ``delivery_s`` a record's way into the log with all retries, ``session_s`` how
    long a member may be silent before its partitions go to others, ``quiet_s`` how long no record may come before the
    brokers are asked whether there is none. ``topic_prefix`` stands before the names of our topics in this cluster;
    KafkaLog puts it there, and everybody behind it knows the cluster's names only. Every maker blocks until the cluster
    answered once and raises LogUnavailable.
    """

    servers: str
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    max_record_bytes: int = 16 * 2**20 + MAX_OVERHEAD_BYTES
    timeout_s: float = KAFKA_REQUEST_S
    delivery_s: float = KAFKA_DELIVERY_S
    session_s: float = KAFKA_SESSION_S
    quiet_s: float = KAFKA_SILENCE_S
    topic_prefix: str = ""
    client_id: str = "prequel"
    clock: Callable[[], float] = time.monotonic

    def producer(self) -> Any:
        """Idempotent, acknowledged by all in-sync replicas (naming ``acks`` or ``retries`` could turn that off)."""
        return self._made(
            KafkaProducer,
            batch_size=2**20,
            linger_ms=5,
            max_request_size=self.request_bytes,
            max_block_ms=self._timeout_ms,
            delivery_timeout_ms=int(max(self.delivery_s, self.timeout_s + 1) * 1000),
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def consumer(self, *, group: str | None = None, partition_fetch_bytes: int = 4 * 2**20, wait_ms: int = 500) -> Any:
        """Commits nothing and resets nothing by itself; skips what foreign transactions aborted."""
        consumer = self._made(
            KafkaConsumer,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=partition_fetch_bytes,
            fetch_max_wait_ms=wait_ms,
            fetch_max_bytes=max(32 * 2**20, self.max_record_bytes),
            receive_message_max_bytes=max(100_000_000, 2 * self.max_record_bytes + 40 * 2**20),
            session_timeout_ms=int(self.session_s * 1000),
            heartbeat_interval_ms=int(min(1.0, self.session_s / 4) * 1000),
            partition_assignment_strategy=[StickyPartitionAssignor],
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        return repaired(consumer)

    def admin(self) -> Any:
        return self._made(KafkaAdminClient)

    def topic(self, name: str) -> str:
        """What a topic of ours is called in this cluster."""
        return self.topic_prefix + name

    def name(self, topic: str) -> str:
        """The inverse of ``topic``."""
        return topic.removeprefix(self.topic_prefix)

    @property
    def request_bytes(self) -> int:
        """The largest request, and so record, that a producer sends, however much a topic would take."""
        return max(8 * 2**20, self.max_record_bytes)

    @property
    def _timeout_ms(self) -> int:
        return int(self.timeout_s * 1000)

    def _made(self, client: Any, **options: Any) -> Any:
        if self.security.password:
            keep_passwords_out_of_logs()
        nets: list[Any] = []

        def net(**config: Any) -> Any:
            nets.append(KafkaNetClient(**config))
            return nets[-1]

        with _Reasons() as reasons:
            try:
                return client(
                    kafka_client=net,
                    bootstrap_servers=self.servers,
                    bootstrap_timeout_ms=self._timeout_ms,
                    request_timeout_ms=self._timeout_ms,
                    reconnect_backoff_max_ms=int(KAFKA_RECONNECT_CAP_S * 1000),
                    client_id=self.client_id,
                    **self.security.options(),
                    **options,
                )
            except kafka_errors.KafkaConfigurationError:
                raise
            except kafka_errors.KafkaError as error:
                for made in nets:  # a client that fails in its constructor leaves its thread running
                    made.close()
                raise LogUnavailable(self._unreachable(reasons.told, error)) from None

    def _unreachable(self, reasons: str, error: Exception) -> str:
        where = f"Kafka at {self.servers} ({self.security.protocol}) cannot be used: "
        for sign, remedy in _SIGNS.items():
            if sign in reasons:
                return where + remedy
        return f"{where}{error}. Check that it runs and that PREQUEL_LOG names its address"

    @contextlib.contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Raise LogUnavailable with a remedy, or RecordTooLarge, for whatever the client raises."""
        try:
            yield
        except kafka_errors.KafkaError as error:
            raise self.explained(doing, error) from error

    @contextlib.contextmanager
    def reading(self, consumer: Any, topic: str) -> Iterator[None]:
        """As ``translated``, and OffsetOutOfRange where the position is not in the log."""
        try:
            with self.translated(f"reading {topic}"):
                yield
        except LogUnavailable as error:
            lost = _lost_positions(error.__cause__)
            if not lost:
                raise
            with self.translated(f"reading {topic}"):
                (partition, offset), *_ = sorted(lost.items())
                (begin,) = consumer.beginning_offsets([partition], self._timeout_ms).values()
                (end,) = consumer.end_offsets([partition], self._timeout_ms).values()
            raise OffsetOutOfRange(self.name(topic), partition.partition, offset, begin, end) from error

    def flush(self, producer: Any) -> None:
        """Send what waits and wait for its acknowledgements. Says nothing of failures: only the futures know.

        Raises nothing either, though kafka-python does where the broker made it divide a batch.
        """
        with contextlib.suppress(kafka_errors.KafkaError):
            producer.flush(self.delivery_s + self.timeout_s)

    def shut(self, consumer: Any) -> None:
        """Close a consumer and leave its group; a broker that is away keeps nobody waiting for long."""
        with contextlib.suppress(kafka_errors.KafkaError):  # it is given up either way
            consumer.close(autocommit=False, timeout_ms=min(int(KAFKA_CLOSE_S * 1000), self._timeout_ms))

    def abort(self, producer: Any) -> None:
        """Tear a producer down at once: nothing that it still holds may reach the log later."""
        try:
            producer.close(timeout=0)
        except kafka_errors.KafkaTimeoutError:
            # kafka-python 3.0.12 gives up closing when records are still unsent, and would go on to send them.
            producer._sender.force_close()

    def explained(self, doing: str, error: Exception) -> LogUnavailable | RecordTooLarge:
        """The client's error as ours."""
        if isinstance(error, kafka_errors.MessageSizeTooLargeError | kafka_errors.RecordListTooLargeError):
            return RecordTooLarge(f"{doing}: the broker takes no record so large: {error}; see `prequel topics`")
        if isinstance(error, _NOT_A_MEMBER):
            return MembershipLost(f"{doing}: the group goes on without this member ({type(error).__name__})")
        if isinstance(error, _NO_COORDINATOR):
            return CoordinatorMoved(f"{doing}: no broker looks after the group yet ({type(error).__name__})")
        for kind, remedy in _REMEDIES.items():
            if isinstance(error, kind):
                return LogUnavailable(f"{doing}: {remedy} ({type(error).__name__})")
        return LogUnavailable(f"{doing}: Kafka at {self.servers} said {error}")


# The library tells why it cannot connect in its log only. Permanent causes first.
_SIGNS: Mapping[str, str] = {
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
    "socket disconnected": "it hangs up on us: it is starting or stopping, or PREQUEL_KAFKA_SECURITY, "
    "PREQUEL_KAFKA_SASL, PREQUEL_KAFKA_USER or PREQUEL_KAFKA_PASSWORD is not what it expects",
}

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


_NOT_A_MEMBER = (
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.RebalanceInProgressError,
    kafka_errors.UnknownMemberIdError,
)


def _lost_positions(error: BaseException | None) -> dict[Any, int]:
    """Partition -> position for errors that say that a position is not, or no longer, in the log."""
    if isinstance(error, kafka_errors.OffsetOutOfRangeError):
        return dict(error.args[0])
    if isinstance(error, kafka_errors.LogTruncationError):
        return {partition: at.offset if at else -1 for partition, at in error.divergent_offsets.items()}
    return {}


_NO_COORDINATOR = (
    kafka_errors.CoordinatorLoadInProgressError,
    kafka_errors.CoordinatorNotAvailableError,
    kafka_errors.NotCoordinatorError,
)


class _Reasons(logging.Handler):
    """Collects what the library logs of failing connections while a client is made."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.told = (self.told + record.getMessage() + "\n")[-20_000:]

    def __enter__(self) -> "_Reasons":
        logging.getLogger("kafka.net").addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger("kafka.net").removeHandler(self)
