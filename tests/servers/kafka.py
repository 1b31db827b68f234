"""A real Apache Kafka (KRaft) on this machine: started, stopped, killed and started again on the same folders."""

import base64
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import NamedTuple

from kafka.errors import KafkaError

from prequel.shared.log.base import LogUnavailable
from prequel.shared.log.kafka.clients import new_admin
from prequel.shared.log.kafka.cluster import KafkaCluster
from tests.servers.jars import jars
from tests.servers.ports import free_port, listening, wait_until

USER, PASSWORD = "alice", "alice-secret-42"
UNPRIVILEGED_USER, UNPRIVILEGED_PASSWORD = "mallory", "mallory-secret-42"
"""The broker knows this user and allows it nothing."""

LOG4J = """status=error
rootLogger.level=INFO
rootLogger.appenderRefs=file
rootLogger.appenderRef.file.ref=FILE
appenders=file
appender.file.type=File
appender.file.name=FILE
appender.file.fileName={file}
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %m (%c{{1}})%n
"""

START_S = 180.0
"""For a broker to start: seconds on an idle machine, minutes where all tests start one at once."""

LISTENERS = ("PLAINTEXT", "CONTROLLER", "PROXIED", "SASL_PLAINTEXT", "SSL", "SASL_SSL")


class Certificates(NamedTuple):
    """PEM files: the CA, and key and certificate in one for the broker and for a client."""

    ca: Path
    broker: Path
    client: Path


class Node:
    """One broker, which is a controller too: a folder, its ports, a Java process."""

    def __init__(self, folder: Path, number: int, heap_mb: int) -> None:
        self.folder, self.number, self.heap_mb = folder, number, heap_mb
        self.ports = {name: free_port() for name in LISTENERS}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"

    def java(self, *arguments: str) -> list[str]:
        # C1 alone halves the time to start; a broker's work is copying bytes, not computing.
        return [
            "java",
            f"-Xmx{self.heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp",
            f"{jars()}/*",
            *arguments,
        ]

    def start(self) -> None:
        with (self.folder / "out.log").open("ab") as out:
            self.process = subprocess.Popen(
                self.java("kafka.Kafka", str(self.properties)), stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )

    def end(self, sent: signal.Signals) -> None:
        """Send the signal and wait until the process has ended."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(sent)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def tail(self) -> str:
        files = (self.folder / "server.log", self.folder / "out.log")
        return "\n".join(file.read_text()[-1500:] for file in files if file.exists())


class Kafka:
    """A cluster of ``nodes`` on 127.0.0.1. Use as a context manager, or start() and stop()."""

    def __init__(
        self,
        folder: Path,
        nodes: int = 1,
        *,
        certificates: Certificates | None = None,
        proxied_at: int | None = None,
        properties: dict[str, str] | None = None,
    ) -> None:
        """A cluster that is not started yet.

        ``certificates``: add SASL and TLS listeners and an authorizer. ``proxied_at``: add a listener that is
        advertised at that port of 127.0.0.1, where a test's proxy listens. ``properties``: of the broker, over ours.
        """
        self.folder, self.certificates, self.proxied_at = folder, certificates, proxied_at
        self._properties = properties or {}
        heap_mb = 512 if nodes == 1 else 256
        self.nodes = [Node(folder / f"node-{number}", number, heap_mb) for number in range(1, nodes + 1)]

    def bootstrap(self, listener: str = "PLAINTEXT") -> str:
        """host:port,... of a listener."""
        return ",".join(f"127.0.0.1:{node.ports[listener]}" for node in self.nodes)

    def start(self) -> None:
        """Format the storage where it is new, start every node, wait until all of them answer."""
        fresh = [node for node in self.nodes if not node.folder.exists()]
        for node in fresh:
            self._configure(node)
        self._format(fresh)
        for node in self.nodes:
            if node.process is None:
                node.start()
        wait_until(self._answers, START_S, f"Kafka starting\n{self.nodes[0].tail()}")

    def stop(self) -> None:
        """Clean: SIGTERM."""
        for node in self.nodes:
            node.end(signal.SIGTERM)

    def kill(self, number: int | None = None) -> None:
        """Hard: SIGKILL, one node or all."""
        for node in self.nodes:
            if number in (None, node.number):
                node.end(signal.SIGKILL)

    def stop_one(self, number: int) -> None:
        for node in self.nodes:
            if node.number == number:
                node.end(signal.SIGTERM)

    def discard(self) -> None:
        """Kill and delete the folders."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Kafka":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.discard()

    def _answers(self) -> bool:
        dead = [node for node in self.nodes if node.process is not None and node.process.poll() is not None]
        if dead:
            raise RuntimeError(f"Kafka ended by itself\n{dead[0].tail()}")
        return all(self._serves(node) for node in self.nodes)

    def _serves(self, node: Node) -> bool:
        """Whether this very node answers, and knows of all the others."""
        if not listening(node.ports["PLAINTEXT"]):
            return False
        try:
            # new_admin ends the thread of a client that fails; the bare KafkaAdminClient would leave it running.
            admin = new_admin(KafkaCluster(f"127.0.0.1:{node.ports['PLAINTEXT']}", timeout_s=5.0))
        except LogUnavailable:
            return False
        try:
            return len(admin.describe_cluster()["brokers"]) == len(self.nodes)
        except KafkaError:
            return False
        finally:
            admin.close()

    def _format(self, nodes: list[Node]) -> None:
        # As Kafka's own ids, never with a hyphen in front: its tool would take that for an option.
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        users = [
            f"--add-scram={mechanism}=[name={user},password={password}]"
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for user, password in ((USER, PASSWORD), (UNPRIVILEGED_USER, UNPRIVILEGED_PASSWORD))
            if self.certificates
        ]
        running = [
            subprocess.Popen(
                node.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(node.properties), *users),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for node in nodes
        ]
        for process in running:
            output, _ = process.communicate(timeout=START_S)
            if process.returncode:
                raise RuntimeError(f"StorageTool: {output[-2000:]}")

    def _configure(self, node: Node) -> None:
        node.folder.mkdir(parents=True)
        (node.folder / "log4j2.properties").write_text(LOG4J.format(file=node.folder / "server.log"))
        settings = self._settings(node) | self._security() | self._properties
        node.properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def _settings(self, node: Node) -> dict[str, str]:
        names = ["PLAINTEXT", "CONTROLLER"]
        names += ["PROXIED"] if self.proxied_at else []
        names += ["SASL_PLAINTEXT", "SSL", "SASL_SSL"] if self.certificates else []
        kinds = {"CONTROLLER": "PLAINTEXT", "PROXIED": "PLAINTEXT"}
        outside = {**node.ports, "PROXIED": self.proxied_at or 0}
        copies = str(min(3, len(self.nodes)))
        insync = str(max(1, int(copies) - 1))
        return {
            "process.roles": "broker,controller",
            "node.id": str(node.number),
            "listeners": ",".join(f"{name}://127.0.0.1:{node.ports[name]}" for name in names),
            "advertised.listeners": ",".join(
                f"{name}://127.0.0.1:{outside[name]}" for name in names if name != "CONTROLLER"
            ),
            "listener.security.protocol.map": ",".join(f"{name}:{kinds.get(name, name)}" for name in names),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.quorum.voters": ",".join(
                f"{other.number}@127.0.0.1:{other.ports['CONTROLLER']}" for other in self.nodes
            ),
            "log.dirs": str(node.folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "2",
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": insync,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": insync,
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",
            "message.max.bytes": str(34 * 2**20),
            "replica.fetch.max.bytes": str(34 * 2**20),
            "log.initial.task.delay.ms": "500",
            "log.retention.check.interval.ms": "500",
            "log.segment.delete.delay.ms": "100",
            # A crashed broker is fenced only after this; until then its partitions have no new leader.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
        }

    def _security(self) -> dict[str, str]:
        if self.certificates is None:
            return {}
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        users = f'user_{USER}="{PASSWORD}" user_{UNPRIVILEGED_USER}="{UNPRIVILEGED_PASSWORD}"'
        settings = {
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificates.broker),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificates.ca),
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


def certificates(folder: Path) -> Certificates:
    """A CA and what it signed for 127.0.0.1 and localhost, made with openssl."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = folder / "ca.pem"
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Prequel tests",
             "-keyout", str(folder / "ca.key"), "-out", str(ca))  # fmt: skip
    return Certificates(ca, _certificate(folder, "broker"), _certificate(folder, "client"))


def _certificate(folder: Path, name: str) -> Path:
    key, request, signed = (folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
    extensions = folder / f"{name}.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request))
    _openssl("x509", "-req", "-days", "2", "-in", str(request), "-CA", str(folder / "ca.pem"),
             "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-extfile", str(extensions),
             "-out", str(signed))  # fmt: skip
    key_and_certificate = folder / f"{name}.pem"
    key_and_certificate.write_text(key.read_text() + signed.read_text())
    key_and_certificate.chmod(0o600)
    return key_and_certificate


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
