"""Statuses are only shown: the fold goes on while none can be written, and they are there soon once they can."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.learner import IDLE_SECONDS, STORE_CHECK_SECONDS, Learner
from prequel.services.learner.publishing.publisher import STATUS_SECONDS
from prequel.shared import status
from prequel.shared.config import Settings
from prequel.shared.log.base import EXAMPLES, Message
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.status import StreamStatus
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from tests.gateway.faults import FaultyStore
from tests.learner.building import ExampleLog, Registry
from tests.learner.test_losses import Clock, examples


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaultyStore]:
    with closing(SqliteStore(tmp_path / "store")) as store:
        yield FaultyStore(store)


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made() -> ExampleLog:
    return examples(9)


@pytest.fixture
def learner(tmp_path: Path, store: FaultyStore, made: ExampleLog, health: Health, clock: Clock) -> Iterator[Learner]:
    with closing(SqliteLog(tmp_path / "log")) as log:
        log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in made.records])
        learner = Learner(
            Settings.model_validate({"models": "nearest,logistic"}),
            log=log, store=store, registry=Registry(), metrics=Metrics(CollectorRegistry()), clock=clock, owner="o",
            health=health,
        )  # fmt: skip
        learner.restore(0, 1)
        yield learner


def shown(store: FaultyStore) -> str | None:
    raw = store.get(status.key("s"))
    return StreamStatus.model_validate_json(raw).position if raw else None


def test_the_fold_continues_while_no_status_can_be_written(
    learner: Learner, store: FaultyStore, made: ExampleLog, health: Health, clock: Clock
) -> None:
    store.away = True
    for at, record in enumerate(made.records):
        clock.now += STATUS_SECONDS
        assert learner.process([record]).positions == {0: at + 1}
    assert "Redis is away" in health.reasons["learner: statuses"]
    clock.now += STORE_CHECK_SECONDS
    learner.process(())
    with pytest.raises(StoreUnavailable):
        learner.checkpoint({0: 9})
    with pytest.raises(StoreUnavailable):
        learner.ready()
    store.away = False
    learner.ready()
    clock.now += STORE_CHECK_SECONDS
    learner.process(())
    assert (shown(store), health.reasons) == ("0:9", {})


def test_a_bug_in_a_status_does_not_stop_the_fold_either(
    learner: Learner, made: ExampleLog, health: Health, clock: Clock
) -> None:
    def address() -> str:
        raise ZeroDivisionError("a bug")

    learner._publisher._address = address  # type: ignore[assignment]  # nothing that JSON could hold
    clock.now += STATUS_SECONDS
    assert learner.process(made.records).positions == {0: 9}
    learner.checkpoint({0: 9})
    assert "the log has the traceback" in health.reasons["learner: statuses"]


def test_a_status_is_published_as_soon_as_the_learner_is_idle(
    learner: Learner, store: FaultyStore, made: ExampleLog, clock: Clock
) -> None:
    assert learner.poll_timeout() == IDLE_SECONDS
    for at, record in enumerate(made.records):
        learner.process([record])
        assert learner.poll_timeout() < 0.02, "the next poll does not wait for long"
        learner.process(())
        assert shown(store) == f"0:{at + 1}"
    assert learner.poll_timeout() == IDLE_SECONDS
