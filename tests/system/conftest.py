"""One cluster for the tests that leave its servers as they found them, however many files they are in."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from prequel.shared.log.kafka.log import KafkaLog
from tests.system.cluster import Cluster


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def cluster(servers: Cluster) -> Iterator[Cluster]:
    """Kafka with empty topics and an empty Redis; a test starts what processes it needs."""
    servers.reset()
    yield servers
    servers.end_services()


@pytest.fixture
def log(cluster: Cluster) -> Iterator[KafkaLog]:
    with closing(cluster.log()) as opened:
        yield opened
