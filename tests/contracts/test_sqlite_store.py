"""The embedded store keeps the contract of the store, and what it promises beyond it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from prequel.shared.store.base import Fence, Store, StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from tests.contracts.store_contract import MakeStore, StoreContract


@pytest.fixture
def timeout_s() -> float:
    return 60.0


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[MakeStore]:
    opened: list[Store] = []

    def make() -> Store:
        opened.append(SqliteStore(tmp_path / "folder" / "store.sqlite"))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def opening(tmp_path: Path) -> str:
    path = str(tmp_path / "folder" / "store.sqlite")
    return (
        "from pathlib import Path\n"
        f"from prequel.shared.store.sqlite import SqliteStore\nstore = SqliteStore(Path({path!r}))"
    )


class TestSqliteStore(StoreContract):
    pass


def test_swap_deletes_no_root(make_store: MakeStore) -> None:
    store, fence = make_store(), Fence(0, 1, "owner")
    for root in ("one", "two"):
        store.acquire(root, fence)
        store.swap(root, fence, b"state")
    store.swap("one", fence, b"new", delete=["one", "two"])
    assert (store.get("one"), store.get("two")) == (b"new", b"state")


def test_a_value_too_large_for_sqlite_is_refused_and_changes_nothing(make_store: MakeStore) -> None:
    store = make_store()
    store.put("k", b"old")
    with pytest.raises(StoreUnavailable, match="make it smaller"):
        store.put("k", bytes(1_000_000_001))
    assert store.get("k") == b"old"
