"""A store that was emptied, a log that lost its end: the learner sees it by itself and folds what there is."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.learner import STORE_CHECK_SECONDS, Learner
from prequel.services.learner.snapshots.root import read_roots, root_key
from prequel.shared.config import Settings
from prequel.shared.log.base import EXAMPLES, Message
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.base import Fenced
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry


class Clock:
    """Stands where it is put."""

    now = 1.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "store")) as store:
        yield store


def examples(count: int) -> ExampleLog:
    made = ExampleLog()
    for number in range(count):
        made.features(f"i{number}", [number, 1, 0], "ab"[number % 2])
    return made


@contextmanager
def learning(folder: Path, store: SqliteStore, made: ExampleLog, clock: Clock) -> Iterator[Learner]:
    """A learner over a log of these examples."""
    with closing(SqliteLog(folder)) as log:
        log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in made.records])
        yield Learner(
            Settings.model_validate({"models": "nearest,logistic"}),
            log=log, store=store, registry=Registry(), metrics=Metrics(CollectorRegistry()), clock=clock, owner="o",
        )  # fmt: skip


def test_an_idle_learner_notices_an_emptied_store_and_rebuilds(tmp_path: Path, store: SqliteStore) -> None:
    made, clock = examples(9), Clock()
    with learning(tmp_path / "log", store, made, clock) as learner:
        learner.restore(0, 1)
        learner.process(made.records)
        learner.checkpoint({0: 9})
        stored = store.keys("")
        store.delete(stored)
        learner.process(())
        clock.now += STORE_CHECK_SECONDS
        with pytest.raises(Fenced, match="the store has lost the snapshots"):
            learner.process(())
        learner.discard(0)
        assert learner.restore(0, 1) == 0
        learner.process(made.records)
        learner.checkpoint({0: 9})
        assert store.keys("") == stored


def test_a_log_that_lost_its_end_is_replayed_from_an_older_snapshot(
    tmp_path: Path, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    made, clock = examples(9), Clock()
    with learning(tmp_path / "log", store, made, clock) as learner:
        learner.restore(0, 1)
        for begin, end in ((0, 4), (4, 9)):
            learner.process(made.records[begin:end])
            learner.checkpoint({0: end})
    with learning(tmp_path / "shorter", store, examples(6), clock) as learner:
        assert learner.restore(0, 2) == 4
        assert "the snapshot at 9 is not used: the log ends at 6" in caplog.text
        learner.process(made.records[4:6])
        learner.checkpoint({0: 6})
    assert [root.offset for root in read_roots(store.get(root_key(0)))] == [6, 4]
