"""What a learner shows of a partition is gone once the partition is: whoever owns it now shows it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.learner.learner import Learner
from shared.config import Settings
from shared.log import EXAMPLES, Message
from shared.metrics import Metrics
from shared.runner import Session
from shared.sqlite_log import SqliteLog
from shared.sqlite_store import SqliteStore
from tests.learner.building import Table, Written

OWN = {"stream", "partition"}
"""Labels that only the owner of a partition may show in a gauge."""


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def session(tmp_path: Path, registry: CollectorRegistry) -> Iterator[Session]:
    """A learner that has learned from two streams, snapshot written, all measured."""
    metrics, settings = Metrics(registry), Settings.model_validate({"models": "nearest,logistic"})
    examples = Written()
    for number in range(12):
        examples.features(f"i{number}", [number % 3, 1, 0], "ab"[number % 2], stream=f"s{number % 4 // 2}")
    with (
        closing(SqliteLog(tmp_path / "log")) as log,
        closing(SqliteStore(tmp_path / "store")) as store,
        ThreadPoolExecutor(1) as publisher,
    ):
        log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in examples.records])
        learner = Learner(settings, log=log, store=store, table=Table(), metrics=metrics, clock=time.time, owner="o")
        member = log.join("learners", EXAMPLES)
        session = Session(log, learner, member, "learners", publisher, metrics, time.monotonic)
        while sum(log.lag("learners", EXAMPLES).values()):
            session.turn()
            session.checkpoint()
        session.measure()
        yield session
        member.close()


def gauges(registry: CollectorRegistry) -> set[str]:
    """Names of the gauges that say something of a stream or a partition."""
    return {
        metric.name
        for metric in registry.collect()
        for sample in metric.samples
        if metric.type == "gauge" and OWN & set(sample.labels)
    }


def test_gauges_of_a_partition_end_with_it(session: Session, registry: CollectorRegistry) -> None:
    shown = gauges(registry)
    assert shown >= {"prequel_log_lag", "prequel_learner_position", "prequel_snapshot_age_seconds"}
    assert shown >= {"prequel_class_recall", "prequel_label_coverage", "prequel_prequential_accuracy"}
    session.drop()
    assert gauges(registry) == set()


def test_counters_stay(session: Session, registry: CollectorRegistry) -> None:
    session.drop()
    assert registry.get_sample_value("prequel_predictions_total", {"stream": "s0"}) == 6
