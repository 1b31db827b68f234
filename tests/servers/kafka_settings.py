"""What the tests' Kafka brokers are configured with."""

from collections.abc import Mapping
from pathlib import Path

from tests.servers.certificates import Certificates

USER, PASSWORD = "alice", "alice-secret-42"
UNPRIVILEGED_USER, UNPRIVILEGED_PASSWORD = "mallory", "mallory-secret-42"
"""The broker knows this user and allows it nothing."""

LISTENERS = ("PLAINTEXT", "CONTROLLER", "PROXIED", "SASL_PLAINTEXT", "SSL", "SASL_SSL")

MESSAGE_BYTES = str(34 * 2**20)
"""The largest image of any test, and what a record adds to it."""

FAST: Mapping[str, str] = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "500",
    "log.segment.delete.delay.ms": "100",
    # A crashed broker is fenced only after this; until then its partitions have no new leader.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}
"""What production brokers do in minutes, in a second: tests wait for it."""


def listeners(ports: Mapping[str, int], *, proxied_at: int | None, secured: bool) -> dict[str, str]:
    """Where a broker listens, and which addresses it tells its clients."""
    names = ["PLAINTEXT", "CONTROLLER"]
    names += ["PROXIED"] if proxied_at else []
    names += ["SASL_PLAINTEXT", "SSL", "SASL_SSL"] if secured else []
    protocols = {"CONTROLLER": "PLAINTEXT", "PROXIED": "PLAINTEXT"}
    advertised = {**ports, "PROXIED": proxied_at or 0}
    return {
        "listeners": ",".join(f"{name}://127.0.0.1:{ports[name]}" for name in names),
        "advertised.listeners": ",".join(
            f"{name}://127.0.0.1:{advertised[name]}" for name in names if name != "CONTROLLER"
        ),
        "listener.security.protocol.map": ",".join(f"{name}:{protocols.get(name, name)}" for name in names),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
    }


def cluster(number: int, data: Path, controller_ports: Mapping[int, int]) -> dict[str, str]:
    """A broker's place among the others; ``controller_ports``: node number -> port, of all of them."""
    copies = str(min(3, len(controller_ports)))
    in_sync = str(max(1, int(copies) - 1))
    return {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": ",".join(f"{node}@127.0.0.1:{port}" for node, port in controller_ports.items()),
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "2",
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        "message.max.bytes": MESSAGE_BYTES,
        "replica.fetch.max.bytes": MESSAGE_BYTES,
    }


def security(certificates: Certificates) -> dict[str, str]:
    """Logins, certificates and an authorizer that allows everything to everybody but UNPRIVILEGED_USER."""
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    users = f'user_{USER}="{PASSWORD}" user_{UNPRIVILEGED_USER}="{UNPRIVILEGED_PASSWORD}"'
    settings = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.broker),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.ca),
        "listener.name.ssl.ssl.client.auth": "required",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{USER};User:CN=client",
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        settings |= {
            f"listener.name.{listener}.plain.sasl.jaas.config": f"{plain} required {users};",
            f"listener.name.{listener}.scram-sha-256.sasl.jaas.config": scram,
            f"listener.name.{listener}.scram-sha-512.sasl.jaas.config": scram,
        }
    return settings
