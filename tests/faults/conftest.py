"""The servers, logs and stores of the fault tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from prequel.shared.store.redis.store import RedisStore
from tests.faults.kafka_logs import OpenLog, opened_logs
from tests.faults.kafka_traffic import new_topic
from tests.faults.redis_stores import OpenStore, StartRedis
from tests.servers.certificates import Certificates, certificates
from tests.servers.jars import NoKafka
from tests.servers.kafka import Kafka
from tests.servers.proxy import Proxy
from tests.servers.redis import NoRedis, Redis, binary
from tests.servers.session import missing


@pytest.fixture(scope="session")
def proxy() -> Iterator[Proxy]:
    with Proxy() as started:
        yield started


@pytest.fixture(scope="session")
def mortal(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[Kafka]:
    """A broker that any test may kill, in whatever file; one of its listeners leads through the proxy."""
    try:
        server = Kafka(tmp_path_factory.mktemp("faults") / "cluster", proxied_at=proxy.port)
        server.start()
    except NoKafka as error:
        missing(str(error))
    proxy.target = server.nodes[0].ports["PROXIED"]
    yield server
    server.discard()


@pytest.fixture
def broker(mortal: Kafka) -> Kafka:
    """It runs, though the test before may have killed it."""
    mortal.start()
    return mortal


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, tls_files: Certificates) -> Iterator[Kafka]:
    """A broker with every kind of listener, and an authorizer."""
    try:
        server = Kafka(tmp_path_factory.mktemp("secured") / "cluster", certificates=tls_files)
        server.start()
    except NoKafka as error:
        missing(str(error))
    yield server
    server.discard()


@pytest.fixture
def open_log() -> Iterator[OpenLog]:
    """Logs that give up soon, on a broker that fails; a test that wants an answer for sure says how long it waits."""
    with opened_logs(timeout_s=2.0, delivery_s=4.0, session_s=6.0, quiet_s=0.5) as open_log:
        yield open_log


@pytest.fixture
def open_client() -> Iterator[OpenLog]:
    """Logs with time enough, on a broker that works."""
    with opened_logs(timeout_s=10.0) as open_client:
        yield open_client


@pytest.fixture
def topic(broker: Kafka, open_log: OpenLog) -> str:
    return new_topic(open_log(broker.bootstrap(), timeout_s=10.0))


@pytest.fixture
def secured_topic(secured: Kafka, open_client: OpenLog) -> str:
    return new_topic(open_client(secured.bootstrap()))


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[StartRedis]:
    """``start_redis(*arguments, certificates=None)``: a server with these arguments on its command line."""
    try:
        binary()
    except NoRedis as error:
        missing(str(error))
    started: list[Redis] = []

    def start(*arguments: str, certificates: Certificates | None = None) -> Redis:
        started.append(Redis(tmp_path / f"redis-{len(started)}", *arguments, certificates=certificates))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.discard()


@pytest.fixture
def open_store() -> Iterator[OpenStore]:
    opened: list[RedisStore] = []

    def start(url: str, *, ca: str = "", timeout_s: float = 5.0) -> RedisStore:
        opened.append(RedisStore(url, ca=ca, timeout_s=timeout_s))
        return opened[-1]

    yield start
    for store in opened:
        store.close()
