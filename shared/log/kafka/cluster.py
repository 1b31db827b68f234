"""Where a Kafka cluster is, how much time and memory its clients may take, and what our topics are called there."""

import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.kafka.security import KafkaSecurity
from prequel.shared.runtime.deadlines import KAFKA_DELIVERY_S, KAFKA_REQUEST_S, KAFKA_SESSION_S, KAFKA_SILENCE_S
from prequel.shared.topics import MAX_OVERHEAD_BYTES

SCHEME = "kafka://"

DEFAULT_IMAGE_BYTES = 16 * 2**20
"""As PREQUEL_MAX_IMAGE_BYTES where nothing is set."""

LEAST_REQUEST_BYTES = 8 * 2**20
"""A producer may send this much in one request, even where images are small: topics may have been set up for larger
ones before PREQUEL_MAX_IMAGE_BYTES was lowered."""


@dataclass(frozen=True)
class KafkaCluster:
    """One Kafka cluster as this process uses it.

    ``servers``: host:port,...
    ``max_record_bytes``: the largest record that is read, and that is written where a topic's own limit is not known.
    ``timeout_s``: of one request.
    ``delivery_s``: of a record's way into the log, with all retries.
    ``session_s``: how long a member may be silent before its partitions are assigned to others.
    ``quiet_s``: how long no record may come before the brokers are asked whether there is none (see watchdog.py).
    ``topic_prefix``: stands before the names of our topics in this cluster. Only KafkaLog translates between the two;
    everything behind it uses the cluster's names.
    ``clock``: seconds that never go back.
    """

    servers: str
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    _: KW_ONLY
    max_record_bytes: int = DEFAULT_IMAGE_BYTES + MAX_OVERHEAD_BYTES
    timeout_s: float = KAFKA_REQUEST_S
    delivery_s: float = KAFKA_DELIVERY_S
    session_s: float = KAFKA_SESSION_S
    quiet_s: float = KAFKA_SILENCE_S
    topic_prefix: str = ""
    client_id: str = "prequel"
    clock: Callable[[], float] = time.monotonic

    def topic(self, name: str) -> str:
        """What a topic of ours is called in this cluster."""
        return self.topic_prefix + name

    def name(self, topic: str) -> str:
        """The inverse of ``topic``."""
        return topic.removeprefix(self.topic_prefix)

    @property
    def request_bytes(self) -> int:
        """The largest request, and so record, that a producer sends, however much a topic would take."""
        return max(LEAST_REQUEST_BYTES, self.max_record_bytes)

    @property
    def timeout_ms(self) -> int:
        """``timeout_s`` as kafka-python wants it."""
        return int(self.timeout_s * 1000)


def kafka_cluster(settings: Settings) -> KafkaCluster:
    """What PREQUEL_LOG=kafka://host:port,... and PREQUEL_KAFKA_* say. Raises ConfigError where they contradict."""
    if settings.kafka_security.startswith("SASL") != bool(settings.kafka_sasl):
        raise ConfigError(
            f"PREQUEL_KAFKA_SECURITY={settings.kafka_security} and PREQUEL_KAFKA_SASL={settings.kafka_sasl} do not go "
            "together: set a SASL mechanism (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) with SASL_SSL or SASL_PLAINTEXT only"
        )
    if settings.kafka_sasl and not settings.kafka_user:
        raise ConfigError(f"PREQUEL_KAFKA_USER is empty: {settings.kafka_sasl} needs a user and a password")
    security = KafkaSecurity(
        protocol=settings.kafka_security,
        mechanism=settings.kafka_sasl,
        user=settings.kafka_user,
        password=settings.kafka_password.get_secret_value(),
        ca=settings.kafka_ca,
        cert=settings.kafka_cert,
        key=settings.kafka_key,
    )
    return KafkaCluster(
        settings.log_url.removeprefix(SCHEME).rstrip("/"),
        security,
        max_record_bytes=settings.max_image_bytes + MAX_OVERHEAD_BYTES,
        session_s=settings.kafka_session,
        topic_prefix=settings.kafka_topic_prefix,
        client_id=settings.kafka_client_id,
    )
