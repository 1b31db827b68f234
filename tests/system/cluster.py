"""A real cluster on this machine: Kafka, Redis, and extractors, learners and gateways as processes of their own."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import httpx
from kafka import KafkaAdminClient

from prequel.shared.config import Settings
from prequel.shared.environment import from_environment
from prequel.shared.log.base import TOPICS
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.store.redis.store import RedisStore
from prequel.shared.topics import create
from tests.servers import plain_http
from tests.servers.jars import NoKafka
from tests.servers.kafka import Kafka
from tests.servers.ports import free_port, wait_until
from tests.servers.redis import NoRedis, Redis
from tests.servers.session import missing

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 300.0

SETTINGS = {
    "PREQUEL_KAFKA_PARTITIONS": "4",
    "PREQUEL_KAFKA_SESSION": "6",  # long enough for a busy machine to keep its members
    "PREQUEL_CHECKPOINT_SECONDS": "0.3",
    "PREQUEL_CACHE_EXAMPLES": "8",  # most labels need features that are read back from the log
    "PREQUEL_WINDOW": "2000",
    "PREQUEL_THREADS": "1",
    "PREQUEL_DECODE_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Service:
    """One process `python -m services NAME`; it can be killed and started again, at the same address."""

    def __init__(self, kind: str, folder: Path, environment: Mapping[str, str], module: str = "services") -> None:
        self.kind, self.module, self.port = kind, module, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        port = "PREQUEL_PORT" if kind == "gateway" else "PREQUEL_OPS_PORT"
        self.environment = {**environment, port: str(self.port)}
        self._output = folder / f"{kind}-{self.port}.out"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self._process is None
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, self.kind],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def terminate(self) -> int:
        """SIGTERM; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._process is not None
        try:
            return self._process.wait(DEADLINE_S)
        finally:
            self.kill()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        return self._output.read_text() if self._output.exists() else ""

    def stopped(self) -> bool:
        """Whether SIGSTOP has taken effect."""
        assert self._process is not None
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def reasons(self) -> dict[str, str] | None:
        """The reasons why it is not ready, by component; empty when it is, None while it does not answer."""
        try:
            answer = plain_http.get(f"{self.url}/readyz", timeout=10)
        except httpx.TransportError:
            return None
        return {} if answer.status_code == 200 else dict(answer.json().get("reasons") or {"?": answer.text})

    def ready(self) -> bool:
        assert self.alive, f"{self.kind} ended by itself:\n{self.output[-3000:]}"
        return self.reasons() == {}


class Cluster:
    """Kafka and Redis of its own, and processes on them. Use as a context manager: nothing is left behind."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.kafka, self.redis = Kafka(folder / "kafka"), Redis(folder / "redis", "--appendonly", "yes")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREQUEL_")}
        self._inherited: dict[str, str] = inherited | SETTINGS | dict(settings or {})
        self.services: list[Service] = []

    def __enter__(self) -> "Cluster":
        try:
            self.redis.start()
            self.kafka.start()
        except (NoKafka, NoRedis) as error:
            self.__exit__()
            missing(str(error))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.end_services()
        self.kafka.discard()
        self.redis.discard()

    def end_services(self) -> None:
        for service in self.services:
            service.kill()
        self.services.clear()

    def reset(self) -> None:
        """Topics without records, a store without keys, groups of another name; what a test has killed runs again."""
        self.redis.start()
        self.kafka.start()
        self._inherited["PREQUEL_GROUP"] = f"g-{uuid.uuid4().hex[:8]}"
        with self.redis.client() as client:
            client.flushall()
        with closing(self.admin()) as admin, closing(self.log()) as log:
            admin.delete_topics([topic for topic in TOPICS if topic in admin.list_topics()])
            wait_until(lambda: not set(TOPICS) & set(admin.list_topics()), 60, "the end of the old topics")
            create(log, self.settings)

    def admin(self) -> KafkaAdminClient:
        """A client for what operators do with Kafka's own tools."""
        return KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap())

    @property
    def environment(self) -> dict[str, str]:
        servers = {"PREQUEL_LOG": f"kafka://{self.kafka.bootstrap()}", "PREQUEL_STORE": self.redis.url()}
        return self._inherited | servers

    @property
    def settings(self) -> Settings:
        return from_environment(self.environment)

    def start(
        self, kind: str, count: int = 1, module: str = "services", settings: Mapping[str, str] | None = None
    ) -> list[Service]:
        """Start processes of one kind, without waiting until they are ready."""
        environment = self.environment | dict(settings or {})
        made = [Service(kind, self.folder, environment, module) for _ in range(count)]
        self.services += made
        for service in made:
            service.start()
        return made

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of Prequel's that ends by itself."""
        return subprocess.run(
            [sys.executable, "-m", "services", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def topics(self) -> None:
        made = self.run("topics")
        assert made.returncode == 0, made.stdout + made.stderr

    def log(self) -> KafkaLog:
        """A new log on this cluster, to be closed."""
        return KafkaLog(KafkaCluster(self.kafka.bootstrap(), timeout_s=30.0, quiet_s=0.5))

    def store(self) -> RedisStore:
        return RedisStore(self.redis.url(), timeout_s=2.0)


def all_ready(services: Sequence[Service]) -> None:
    wait_until(
        lambda: all(service.ready() for service in services),
        DEADLINE_S,
        f"ready: {[(service.kind, service.reasons()) for service in services]}",
    )
