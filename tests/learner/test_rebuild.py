"""Rebuilding: a replay gives the snapshot's state; a log that ends before its snapshot is reported at once."""

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.replay.rebuild import Rebuild, RebuildInterrupted
from prequel.services.learner.snapshots.root import read_roots, root_key
from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import EXAMPLES, Message, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "store")) as store:
        yield store


def written() -> list[Record]:
    examples = ExampleLog()
    for number in range(6):
        examples.features(f"i{number}", [number % 3, 1, 0], "ab"[number % 2])
    return examples.records


def logged(folder: Path, records: Sequence[Record]) -> SqliteLog:
    log = SqliteLog(folder)
    log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in records])
    return log


SETTINGS = Settings.model_validate({"models": "nearest"})


def go_on(partition: int, records: int) -> None:
    assert records > 0, "this waits for records that the log does not have"


def rebuild(log: SqliteLog, store: SqliteStore) -> Rebuild:
    return Rebuild(SETTINGS, log=log, store=store, registry=Registry(), advance=go_on, stop=threading.Event())


def test_a_written_rebuild_verifies(tmp_path: Path, store: SqliteStore) -> None:
    with closing(logged(tmp_path / "log", written())) as log:
        (written_verdict,) = rebuild(log, store).write(1, "me")
        (verdict,) = rebuild(log, store).verify(1)
    assert (verdict.equal, verdict.remark) == (True, "bit-equal")
    assert (verdict.digest, verdict.offset, verdict.examples) == (written_verdict.digest, 6, 6)


def test_a_log_that_ends_before_the_snapshot_is_reported_at_once(tmp_path: Path, store: SqliteStore) -> None:
    with closing(logged(tmp_path / "log", written())) as log:
        (written_verdict,) = rebuild(log, store).write(1, "me")
    with closing(logged(tmp_path / "shorter", written()[:4])) as log:
        (verdict,) = rebuild(log, store).verify(1)
    assert (verdict.equal, verdict.remark) == (False, "the log ends at 4, before the snapshot (6)")
    assert (verdict.offset, verdict.digest, verdict.compared) == (4, "", written_verdict.digest)


def test_a_rebuild_does_not_collect_label_delays(tmp_path: Path, store: SqliteStore) -> None:
    examples = ExampleLog()
    for number in range(6):
        examples.features(f"i{number}", [1, 0, 0], "a", stream="rebuilt")
    delay_counts: list[int] = []

    def count_delays(partition: int, records: int) -> None:
        # By type, which does not ask: among all objects are proxies of ones that are no more.
        states = [each for each in gc.get_objects() if type(each) is StreamState and each.name == "rebuilt"]
        delay_counts.append(sum(len(state.delays) for state in states))
        assert [state.labelled for state in states] == [6]

    with closing(logged(tmp_path / "log", examples.records)) as log:
        stop = threading.Event()
        Rebuild(SETTINGS, log=log, store=store, registry=Registry(), advance=count_delays, stop=stop).verify(1)
    assert delay_counts == [0]


def test_an_interrupted_rebuild_writes_nothing(tmp_path: Path, store: SqliteStore) -> None:
    stop = threading.Event()
    with closing(logged(tmp_path / "log", written())) as log:
        work = Rebuild(SETTINGS, log=log, store=store, registry=Registry(), advance=lambda *_: stop.set(), stop=stop)
        with pytest.raises(RebuildInterrupted):
            work.write(1, "me")
        with pytest.raises(RebuildInterrupted):
            work.verify(1)
    assert read_roots(store.get(root_key(0))) == []


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_snapshot_whose_parts_cannot_be_read_is_wrong(tmp_path: Path, store: SqliteStore, damage: str) -> None:
    with closing(logged(tmp_path / "log", written())) as log:
        rebuild(log, store).write(1, "me")
        key = store.keys("snapshot/0/part/")[-1]
        store.delete([key])
        if damage == "damaged":
            store.put(key, b"?")
        (verdict,) = rebuild(log, store).verify(1)
    assert not verdict.equal
    assert "could not read the snapshot: part" in verdict.remark


def test_nothing_is_written_after_the_partition_count_changed(tmp_path: Path, store: SqliteStore) -> None:
    with closing(logged(tmp_path / "log", written())) as log:
        rebuild(log, store).write(1, "me")
        before = store.get(root_key(0))
        log.partitions = lambda topic: 2  # type: ignore[method-assign]
        with pytest.raises(ConfigError, match="has 2 partitions, its snapshots were made with 1"):
            rebuild(log, store).write(1, "me")
    assert store.get(root_key(0)) == before
