"""One Kafka and one Redis for a whole test run: existing ones (KAFKA_BOOTSTRAP, REDIS_URL), else started here."""

import os
from collections.abc import Iterator
from typing import NoReturn

import pytest

# The servers' modules import their clients: only a run that needs a server pays for that.


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port,... of a Kafka that any test may make topics and groups of its own in."""
    from tests.servers.jars import NoKafka
    from tests.servers.kafka import Kafka

    if existing := os.environ.get("KAFKA_BOOTSTRAP"):
        yield existing
        return
    try:
        server = Kafka(tmp_path_factory.mktemp("kafka") / "cluster")
        server.start()
    except NoKafka as error:
        missing(f"{error}; or point KAFKA_BOOTSTRAP to a Kafka that may be written to")
    yield server.bootstrap()
    server.discard()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis whose keys any test may add to, under a prefix of its own."""
    from tests.servers.redis import NoRedis, Redis

    if existing := os.environ.get("REDIS_URL"):
        yield existing
        return
    try:
        server = Redis(tmp_path_factory.mktemp("redis") / "server")
        server.start()
    except NoRedis as error:
        missing(f"{error}; or point REDIS_URL to a Redis that may be written to")
    yield server.url()
    server.discard()


def missing(reason: str) -> NoReturn:
    """Skip the test on a laptop, but fail it in CI: nobody there would notice what was skipped."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
