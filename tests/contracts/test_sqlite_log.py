"""The embedded log keeps the contract of the log, and what it promises beyond it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.log import Log, LogUnavailable
from shared.sqlite import Database
from shared.sqlite_log import SqliteLog
from tests.contracts.group_contract import GroupContract
from tests.contracts.log_contract import LogContract, MakeLog, Opening


@pytest.fixture
def patience_s() -> float:
    return 20.0


@pytest.fixture
def too_large() -> int:
    return 2**20 + 1


@pytest.fixture
def make_log(tmp_path: Path) -> Iterator[MakeLog]:
    opened: list[Log] = []

    def make(partitions: dict[str, int]) -> Log:
        opened.append(SqliteLog(tmp_path / "log", partitions=partitions, lease_s=1.0, max_record_bytes=2**20))
        return opened[-1]

    yield make
    for log in opened:
        log.close()


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    return lambda partitions: (
        "from pathlib import Path\nfrom shared.sqlite_log import SqliteLog\n"
        f"log = SqliteLog(Path({str(tmp_path / 'log')!r}), partitions={partitions!r}, lease_s=1.0)"
    )


@pytest.fixture
def expire(tmp_path: Path) -> Callable[[str, int, int], None]:
    def delete(topic: str, partition: int, before: int) -> None:
        path = tmp_path / "log" / f"{topic}.sqlite"
        database = Database(path, kind="PQlg", version=1, schema=(), error=LogUnavailable)
        with database.writing() as connection:
            connection.execute(f"DELETE FROM p{partition} WHERE offset < ?", (before,))
        database.close()

    return delete


class TestSqliteLog(LogContract):
    pass


class TestSqliteGroups(GroupContract):
    pass
