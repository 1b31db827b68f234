"""What `docker compose up` starts, started on this machine: the same commands, environments and health checks."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deploy import compose, dockerfile
from tests.servers.kafka import Kafka
from tests.servers.ports import free_port, wait_until
from tests.servers.redis import Redis

DEADLINE_S = 300.0
CACHE = "/var/cache/prequel"
PEER = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
"""How services reach each other: not by the address that a service bound to its own loopback would answer on."""

OWN_PORTS = ("PREQUEL_PORT", "PREQUEL_OPS_PORT")
PLACES = {"node.id", "listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs"}
"""Settings of Kafka that say where it is, which is elsewhere here."""

_ADDRESS = re.compile(r"\b([a-z][a-z0-9.-]*|127\.0\.0\.1):(\d+)\b")


class Deployment:
    """The services of docker-compose.yml. Use as a context manager: nothing is left running."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.file = compose.read(environ)
        self.services: dict[str, Any] = self.file["services"]
        self.folder = folder
        self.kafka = Kafka(folder / "kafka", properties=self._kafka_properties())
        command = self.services["redis"]["command"]
        assert command[0] == "redis-server"
        self.redis = Redis(folder / "redis", *command[1:])
        self.addresses: dict[tuple[str, int], tuple[str, int]] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.done: set[str] = set()

    def __enter__(self) -> "Deployment":
        (self.folder / "workdir").mkdir(parents=True)
        (self.folder / "cache").mkdir()
        try:
            self.kafka.start()
            self.redis.start()
        except BaseException:
            self.__exit__()
            raise
        self.addresses = self._addresses()
        return self

    def __exit__(self, *error: object) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.redis.discard()
        self.kafka.discard()

    def up(self, *names: str) -> None:
        """Start services, what each depends on first, and wait until all are healthy."""
        for name in names:
            self._need(name)
            if name not in self.processes:
                self.launch(name)
        for name in names:
            self.wait_healthy(name)

    def run(self, name: str) -> str:
        """Run a service that ends by itself; what it said."""
        self._need(name)
        process = self.launch(name)
        assert process.wait(DEADLINE_S) == 0, self.tail(name)
        return self.tail(name)

    def launch(self, name: str) -> "subprocess.Popen[bytes]":
        """Start one of the services that are built here."""
        image = self._image(name)
        command = [*image.entrypoint, *self.services[name].get("command", image.command)]
        return self.begin(name, [self.local(name, each) for each in command], self.environment(name))

    def begin(self, name: str, command: list[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start a process under a service's name; it ends with the deployment at the latest."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.folder / "workdir",
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self.processes[name]

    def healthy(self, name: str) -> bool:
        """Whether the service's own health check passes, and in time."""
        try:
            return self._check(name).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def _check(self, name: str) -> "subprocess.CompletedProcess[bytes]":
        how, *command = self.services[name]["healthcheck"]["test"]
        assert how == "CMD"
        timeout = compose.seconds(self.services[name]["healthcheck"]["timeout"])
        if name in ("kafka", "redis"):
            return self._check_server(name, command)
        return subprocess.run(
            [self.local(name, each) for each in command],
            env=self.environment(name) if "build" in self.services[name] else os.environ,
            cwd=self.folder / "workdir",
            capture_output=True,
            timeout=2 * timeout,
            check=False,
        )

    def wait_healthy(self, name: str) -> None:
        """Once is enough: Docker asks again, we ask what it waited for."""
        if name in self.done:
            return

        def check() -> bool:
            process = self.processes.get(name)
            assert process is None or process.poll() is None, f"{name} ended by itself: {self.tail(name)}"
            return self.healthy(name)

        wait_until(check, DEADLINE_S, f"{name} healthy\n{self.tail(name)}")
        self.done.add(name)

    def stop(self, name: str) -> int:
        """`docker compose stop`: the exit code, or -9 where the grace period was not enough."""
        process = self.processes[name]
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(compose.seconds(self.services[name]["stop_grace_period"]))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def environment(self, name: str) -> dict[str, str]:
        """The container's: of the image, then of the service; paths and addresses are this machine's."""
        image = self._image(name)
        environment = {key: str(value) for key, value in self.services[name].get("environment", {}).items()}
        for own in OWN_PORTS:
            if own in environment:
                environment[own] = str(self.addresses[name, int(environment[own])][1])
        environment = {key: self.local(name, value) for key, value in (image.environment | environment).items()}
        environment["PATH"] = environment["PATH"].replace("/opt/prequel/bin", str(Path(sys.executable).parent))
        extra = {"HOME": "/nonexistent", "PYTHONPATH": str(Path(__file__).parent / "image")}
        return environment | extra | {"IMAGE_LOCK": str(compose.ROOT / image.lock)}

    def local(self, name: str, text: str) -> str:
        """Text of the file with every `service:port`, and the cache's folder, as they are on this machine."""

        def replaced(found: "re.Match[str]") -> str:
            host, port = found[1], int(found[2])
            owner = name if host in ("127.0.0.1", "localhost") else host
            assert owner in self.services, f"{name}: {found[0]} names no service"
            assert (owner, port) in self.addresses, f"{name}: nothing listens at {owner}:{port}"
            where, listened = self.addresses[owner, port]
            return f"{'127.0.0.1' if owner == name else where}:{listened}"

        return _ADDRESS.sub(replaced, text).replace(CACHE, str(self.folder / "cache"))

    def tail(self, name: str) -> str:
        log = self.folder / f"{name}.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def _need(self, name: str) -> None:
        for other, how in self.services[name].get("depends_on", {}).items():
            if other in self.done:
                continue
            if how["condition"] == "service_completed_successfully":
                self.run(other)
                self.done.add(other)
            elif other in ("kafka", "redis"):
                self.wait_healthy(other)
            else:
                self.up(other)

    def _image(self, name: str) -> dockerfile.Image:
        return dockerfile.image(self.services[name]["build"]["target"])

    def _addresses(self) -> dict[tuple[str, int], tuple[str, int]]:
        """Where each port of each service is here."""
        bootstrap = int(self.kafka.bootstrap().rpartition(":")[2])
        found = {("kafka", _kafka_port(self.services)): ("127.0.0.1", bootstrap)}
        found["redis", 6379] = ("127.0.0.1", self.redis.port)
        found["prometheus", 9090] = ("127.0.0.1", free_port())  # its default; what it is told, its command would say
        for name, service in self.services.items():
            for own in OWN_PORTS:
                if own in service.get("environment", {}):
                    found[name, int(service["environment"][own])] = (PEER, free_port())
        return found

    def _kafka_properties(self) -> dict[str, str]:
        """As the image makes them of its environment: KAFKA_MESSAGE_MAX_BYTES is message.max.bytes."""
        environment = self.services["kafka"]["environment"].items()
        named = {key.removeprefix("KAFKA_").replace("_", ".").lower(): str(value) for key, value in environment}
        skipped = PLACES | {"heap.opts", "cluster.id"}
        return {key: value for key, value in named.items() if key not in skipped}

    def _check_server(self, name: str, command: list[str]) -> "subprocess.CompletedProcess[bytes]":
        if shutil.which(command[0]) is None:  # their images have it
            return subprocess.CompletedProcess(command, 0)
        if name == "kafka":
            inside = _kafka_port(self.services)
            command = [each.replace(f"/{inside}", f"/{self.addresses[name, inside][1]}") for each in command]
        else:
            command = [command[0], "-p", str(self.redis.port), *command[1:]]
        return subprocess.run(command, capture_output=True, timeout=30, check=False)


def _kafka_port(services: Mapping[str, Any]) -> int:
    """The port that Kafka tells its clients, which must be one that it listens on."""
    told = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    found = re.fullmatch(r"PLAINTEXT://kafka:(\d+)", told)
    assert found, told
    assert f"PLAINTEXT://:{found[1]}" in services["kafka"]["environment"]["KAFKA_LISTENERS"].split(",")
    return int(found[1])
