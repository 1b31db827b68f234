"""A store that was emptied while nothing happened: the learner sees it by itself and makes all of it again."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.learner.learner import LOOK_SECONDS, Learner
from shared.config import Settings
from shared.log import EXAMPLES, Message
from shared.metrics import Metrics
from shared.sqlite_log import SqliteLog
from shared.sqlite_store import SqliteStore
from shared.store import Fenced
from tests.learner.building import Table, Written


class Clock:
    """Stands where it is put."""

    now = 1.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "store")) as store:
        yield store


def test_an_idle_learner_notices_and_folds_anew(tmp_path: Path, store: SqliteStore) -> None:
    examples, clock = Written(), Clock()
    for number in range(9):
        examples.features(f"i{number}", [number, 1, 0], "ab"[number % 2])
    with closing(SqliteLog(tmp_path / "log")) as log:
        log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in examples.records])
        learner = Learner(
            Settings.model_validate({"models": "nearest,logistic"}),
            log=log, store=store, table=Table(), metrics=Metrics(CollectorRegistry()), clock=clock, owner="o",
        )  # fmt: skip
        learner.restore(0, 1)
        learner.process(examples.records)
        learner.checkpoint({0: 9})
        kept = store.keys("")
        store.delete(kept)
        learner.process(())
        clock.now += LOOK_SECONDS
        with pytest.raises(Fenced, match="the store has lost the snapshots"):
            learner.process(())
        learner.drop(0)
        assert learner.restore(0, 1) == 0
        learner.process(examples.records)
        learner.checkpoint({0: 9})
        assert store.keys("") == kept
