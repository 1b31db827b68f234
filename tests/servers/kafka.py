"""A real Apache Kafka (KRaft) on this machine: started, stopped, killed and started again on the same folders."""

import base64
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

from kafka.errors import KafkaError

from prequel.shared.log.base import LogUnavailable
from prequel.shared.log.kafka.clients import new_admin
from prequel.shared.log.kafka.cluster import KafkaCluster
from tests.servers import kafka_settings
from tests.servers.certificates import Certificates
from tests.servers.class_archive import archive
from tests.servers.jars import jars
from tests.servers.kafka_settings import LISTENERS, PASSWORD, UNPRIVILEGED_PASSWORD, UNPRIVILEGED_USER, USER
from tests.servers.ports import free_port, listening, wait_until

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

    def start(self, *options: str) -> None:
        """``options`` are Java's."""
        with (self.folder / "out.log").open("ab") as out:
            self.process = subprocess.Popen(
                self.java(*options, "kafka.Kafka", str(self.properties)),
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
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
        """``certificates``: add SASL and TLS listeners and an authorizer. ``proxied_at``: add a listener that is
        advertised at that port of 127.0.0.1, where a test's proxy listens. ``properties``: of the broker, over ours.
        """
        self.folder, self.certificates, self.proxied_at = folder, certificates, proxied_at
        self._properties = properties or {}
        heap_mb = 512 if nodes == 1 else 256
        self.nodes = [Node(folder / f"node-{number}", number, heap_mb) for number in range(1, nodes + 1)]

    def bootstrap(self, listener: str = "PLAINTEXT") -> str:
        """host:port,... of a listener."""
        return ",".join(f"127.0.0.1:{node.ports[listener]}" for node in self.nodes)

    def start(self, *options: str) -> None:
        """Format the storage where it is new, start every node, wait until all of them answer.

        ``options`` are Java's; without any, it has the classes of earlier brokers.
        """
        options = options or _classes()
        fresh = [node for node in self.nodes if not node.folder.exists()]
        for node in fresh:
            self._configure(node)
        self._format(fresh, options)
        for node in self.nodes:
            if node.process is None:
                node.start(*options)
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

    def _format(self, nodes: list[Node], options: tuple[str, ...]) -> None:
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
                node.java(
                    *options, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(node.properties), *users
                ),
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
        controller_ports = {each.number: each.ports["CONTROLLER"] for each in self.nodes}
        settings = {
            **kafka_settings.cluster(node.number, node.folder / "data", controller_ports),
            **kafka_settings.listeners(node.ports, proxied_at=self.proxied_at, secured=self.certificates is not None),
            **kafka_settings.FAST,
            **(kafka_settings.security(self.certificates) if self.certificates else {}),
            **self._properties,
        }
        node.properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def _classes() -> tuple[str, ...]:
    """The option to begin with the classes of an earlier broker."""
    return (f"-XX:SharedArchiveFile={archive(_keep_classes)}",)


def _keep_classes(file: Path) -> None:
    """Let a broker write the classes that it has loaded, which it does when it ends."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Kafka(Path(folder) / "first")
        try:
            broker.start(f"-XX:ArchiveClassesAtExit={file}")
            (process,) = (node.process for node in broker.nodes)
            assert process is not None
            process.terminate()
            process.wait(START_S)
        finally:
            broker.discard()
