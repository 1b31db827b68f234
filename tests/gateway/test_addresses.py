"""While the store hangs, addresses known before are returned at once, however many requests ask."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prequel.services.gateway.remote.addresses import THREADS, AddressCache
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from tests.gateway.test_hanging import HangingStore

BRIEF_S = 0.05


@pytest.fixture
def store(tmp_path: Path) -> Iterator[HangingStore]:
    inner = SqliteStore(tmp_path / "store.sqlite")
    store = HangingStore(inner)
    yield store
    store.gate.set()
    inner.close()


def test_the_newest_known_is_answered_while_the_store_hangs_or_is_away(store: HangingStore) -> None:
    cache = AddressCache(store, BRIEF_S)
    store.put("a", b"1")
    assert (cache.get("a"), cache.get("b")) == (b"1", None)
    store.put("a", b"2")
    assert cache.get("a") == b"2"
    store.away = True
    assert cache.get("a") == b"2"
    with pytest.raises(StoreUnavailable):
        cache.get("never asked")
    store.away = False
    store.gate.clear()
    assert cache.get("a") == b"2"
    with pytest.raises(StoreUnavailable, match="hangs"):
        cache.get("never asked")
    store.gate.set()
    cache.close()


def test_however_many_ask_few_threads_wait(store: HangingStore) -> None:
    cache, before = AddressCache(store, BRIEF_S), threading.active_count()
    store.put("a", b"1")
    cache.get("a")
    store.gate.clear()
    began = time.monotonic()
    assert [cache.get("a") for _ in range(20)] == [b"1"] * 20
    assert time.monotonic() - began < 20 * BRIEF_S + 2
    assert threading.active_count() <= before + THREADS
    store.gate.set()
    cache.close()
