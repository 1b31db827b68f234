"""The embedded store keeps the contract of the store, and what it promises beyond it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.sqlite_store import SqliteStore
from shared.store import Store
from tests.contracts.store_contract import MakeStore, StoreContract


@pytest.fixture
def patience_s() -> float:
    return 20.0


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
    return f"from pathlib import Path\nfrom shared.sqlite_store import SqliteStore\nstore = SqliteStore(Path({path!r}))"


class TestSqliteStore(StoreContract):
    pass
