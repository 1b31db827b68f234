"""The store on Redis keeps the contract of the store, on a real server."""

import uuid
from collections.abc import Iterator

import pytest

from prequel.shared.store.base import Store
from prequel.shared.store.redis.store import RedisStore
from tests.contracts.store_contract import MakeStore, StoreContract


@pytest.fixture
def timeout_s() -> float:
    return 60.0


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def make_store(redis_url: str, prefix: str) -> Iterator[MakeStore]:
    opened: list[Store] = []

    def make() -> Store:
        opened.append(RedisStore(redis_url, prefix=prefix))
        return opened[-1]

    yield make
    last = RedisStore(redis_url, prefix=prefix)
    last.delete(last.keys(""))
    for store in [*opened, last]:
        store.close()


@pytest.fixture
def opening(redis_url: str, prefix: str) -> str:
    return (
        f"from prequel.shared.store.redis.store import RedisStore\nstore = RedisStore({redis_url!r}, prefix={prefix!r})"
    )


class TestRedisStore(StoreContract):
    pass
