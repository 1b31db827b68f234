"""Makes and closes kafka-python's clients, with the settings that keep the log's promises."""

import logging
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.net.compat import KafkaNetClient

from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.errors import connection_error
from prequel.shared.log.kafka.security import keep_passwords_out_of_logs
from prequel.shared.log.kafka.workarounds import with_workarounds
from prequel.shared.runtime.deadlines import KAFKA_CLOSE_S, KAFKA_FETCH_S, KAFKA_RECONNECT_CAP_S

LINGER_MS = 5
"""A batch waits so long for company. ``append`` flushes at its end, so only its own messages ever wait."""

BATCH_BYTES = 2**20
"""Many feature vectors, or some images, in one request: measured at 20,000 records of 8 KB a second."""

FETCH_BYTES = 4 * 2**20
"""Of one partition in one fetch: read ahead, so several partitions together stay in the tens of megabytes."""

TOTAL_FETCH_BYTES = 32 * 2**20
"""Of all partitions in one fetch, or the largest record, if that is larger: it must fit, or reading never goes on."""

MIN_RESPONSE_BYTES = 100_000_000
"""kafka-python's own default for what a response may have."""

RESPONSE_OVERHEAD_BYTES = 40 * 2**20
"""Room in a response beside two of the largest records. The client closes a connection on which a larger response
comes, and asks again, for ever: better too much."""

MAX_HEARTBEAT_S = 1.0
HEARTBEATS_PER_SESSION = 4
"""A member sends so many heartbeats in a session, at least one a second: it survives three that are lost, and learns of
a rebalance within a second."""

KEPT_LOG_CHARACTERS = 20_000
"""Of what the library logs while it connects: enough for the newest tries at every broker."""


def new_producer(cluster: KafkaCluster) -> Any:
    """An idempotent producer whose records are acknowledged by all in-sync replicas.

    Both are kafka-python's defaults: naming ``acks`` or ``retries`` here could turn idempotence off. Blocks until the
    cluster answers once; raises LogUnavailable.
    """
    return _new_client(
        cluster,
        KafkaProducer,
        batch_size=BATCH_BYTES,
        linger_ms=LINGER_MS,
        max_request_size=cluster.request_bytes,
        max_block_ms=cluster.timeout_ms,
        delivery_timeout_ms=int(max(cluster.delivery_s, cluster.timeout_s + 1) * 1000),
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )


def new_consumer(
    cluster: KafkaCluster,
    *,
    group: str | None = None,
    partition_fetch_bytes: int = FETCH_BYTES,
    wait_ms: int = round(KAFKA_FETCH_S * 1000),
) -> Any:
    """A consumer that commits and resets nothing by itself, and skips what foreign transactions aborted.

    Blocks until the cluster answers once; raises LogUnavailable.
    """
    consumer = _new_client(
        cluster,
        KafkaConsumer,
        group_id=group,
        enable_auto_commit=False,  # A position counts only once its state is durable: the runner commits.
        auto_offset_reset="none",  # A gap must be an error, not a silent jump over what was never read.
        isolation_level="read_committed",
        max_partition_fetch_bytes=partition_fetch_bytes,
        fetch_max_wait_ms=wait_ms,
        fetch_max_bytes=max(TOTAL_FETCH_BYTES, cluster.max_record_bytes),
        receive_message_max_bytes=max(MIN_RESPONSE_BYTES, 2 * cluster.max_record_bytes + RESPONSE_OVERHEAD_BYTES),
        session_timeout_ms=int(cluster.session_s * 1000),
        heartbeat_interval_ms=int(min(MAX_HEARTBEAT_S, cluster.session_s / HEARTBEATS_PER_SESSION) * 1000),
        partition_assignment_strategy=[StickyPartitionAssignor],  # Each partition that moves is a state to restore.
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    return with_workarounds(consumer)


def new_admin(cluster: KafkaCluster) -> Any:
    """Blocks until the cluster answers once; raises LogUnavailable."""
    return _new_client(cluster, KafkaAdminClient)


def flush(cluster: KafkaCluster, producer: Any) -> None:
    """Send what waits, and wait for the acknowledgements. Raises nothing: only the futures know what failed.

    (kafka-python raises an error of its own where the broker made it divide a batch, though all is well.)
    """
    with suppress(kafka_errors.KafkaError):
        producer.flush(cluster.delivery_s + cluster.timeout_s)


def close_consumer(cluster: KafkaCluster, consumer: Any) -> None:
    """Leave the group and close. Blocks for KAFKA_CLOSE_S at most where the broker does not answer."""
    with suppress(kafka_errors.KafkaError):  # It is given up either way.
        consumer.close(autocommit=False, timeout_ms=min(int(KAFKA_CLOSE_S * 1000), cluster.timeout_ms))


def abort_producer(producer: Any) -> None:
    """Close at once: nothing that it has not sent yet may reach the log later."""
    try:
        producer.close(timeout=0)
    except kafka_errors.KafkaTimeoutError:
        # kafka-python 3.0.12 gives up closing when records are still unsent, and would go on to send them.
        producer._sender.force_close()


def _new_client(cluster: KafkaCluster, client: Any, **options: Any) -> Any:
    if cluster.security.password:
        keep_passwords_out_of_logs()
    connections: list[Any] = []

    def connect(**config: Any) -> Any:
        connections.append(KafkaNetClient(**config))
        return connections[-1]

    with _CapturedLog() as captured:
        try:
            return client(
                kafka_client=connect,
                bootstrap_servers=cluster.servers,
                bootstrap_timeout_ms=cluster.timeout_ms,
                request_timeout_ms=cluster.timeout_ms,
                reconnect_backoff_max_ms=int(KAFKA_RECONNECT_CAP_S * 1000),
                client_id=cluster.client_id,
                **cluster.security.options(),
                **options,
            )
        except kafka_errors.KafkaConfigurationError:
            raise  # A bug of ours, not the cluster's state.
        except kafka_errors.KafkaError as error:
            for connection in connections:  # A client that fails in its constructor leaves its thread running.
                connection.close()
            raise connection_error(cluster, captured.text, error) from None


class _CapturedLog(logging.Handler):
    """Collects what the library logs of failing connections: the only place where it says why they fail."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = (self.text + record.getMessage() + "\n")[-KEPT_LOG_CHARACTERS:]

    def __enter__(self) -> "_CapturedLog":
        logging.getLogger("kafka.net").addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger("kafka.net").removeHandler(self)
