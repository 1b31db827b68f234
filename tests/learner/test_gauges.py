"""A revoked partition's gauges are removed: the learner that owns it now shows them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.learner import Learner
from prequel.services.learner.publishing.gauges import set_stream_gauges
from prequel.services.learner.publishing.stream_status import stream_status
from prequel.shared.config import Settings
from prequel.shared.log.base import EXAMPLES, Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.deadlines import METRIC_BACKOFF
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.retry import Attempts
from prequel.shared.runtime.session import Session
from prequel.shared.status import PartitionStatus, partition_key
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry, new_fold

OWN = {"stream", "partition"}
"""Labels that only the owner of a partition may show in a gauge."""


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def session(tmp_path: Path, registry: CollectorRegistry) -> Iterator[Session]:
    """A learner that has learned from two streams, snapshot written, all measured."""
    metrics, settings = Metrics(registry), Settings.model_validate({"models": "nearest,logistic"})
    examples = ExampleLog()
    for number in range(12):
        examples.features(f"i{number}", [number % 3, 1, 0], "ab"[number % 2], stream=f"s{number % 4 // 2}")
    with (
        closing(SqliteLog(tmp_path / "log")) as log,
        closing(SqliteStore(tmp_path / "store")) as store,
        ThreadPoolExecutor(1) as executor,
    ):
        log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in examples.records])
        learner = Learner(
            settings, log=log, store=store, registry=Registry(), metrics=metrics, clock=time.time, owner="o"
        )
        member = log.join("learners", EXAMPLES)
        measuring = Attempts("metrics", Health(), METRIC_BACKOFF)
        session = Session(
            log,
            learner,
            member,
            executor,
            group="learners",
            metrics=metrics,
            clock=time.monotonic,
            shown=set(),
            measuring=measuring,
        )
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


def test_gauges_of_a_revoked_partition_are_removed(session: Session, registry: CollectorRegistry) -> None:
    shown = gauges(registry)
    assert shown >= {"prequel_log_lag", "prequel_learner_position", "prequel_snapshot_age_seconds"}
    assert shown >= {"prequel_class_recall", "prequel_label_coverage", "prequel_prequential_accuracy"}
    session.revoke(0)
    assert gauges(registry) == set()


def test_a_learner_that_cannot_work_still_shows_how_far_it_is_behind(
    session: Session, registry: CollectorRegistry
) -> None:
    session.discard()
    assert gauges(registry) == {
        "prequel_log_lag",
        "prequel_learner_position",
        "prequel_snapshot_age_seconds",
        "prequel_early_labels",
    }
    session.measure()
    assert gauges(registry) == set(), "the next session did not get the partition: somebody else has it"


def test_a_deleted_stream_that_begins_again_counts_from_zero(session: Session, registry: CollectorRegistry) -> None:
    """Also where nothing was published in between."""
    examples = ExampleLog()
    examples.features("last", [1, 1, 0], "only the old one's", stream="s0")
    examples.delete("c", stream="s0")
    examples.features("first", [1, 1, 0], "a", stream="s0")
    session._log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in examples.records])
    while sum(session._log.lag("learners", EXAMPLES).values()):
        session.turn()
        session.checkpoint()
    of = {"stream": "s0"}
    assert registry.get_sample_value("prequel_predictions_total", of) == 1
    assert registry.get_sample_value("prequel_labels_total", of | {"status": "learned"}) == 1
    assert registry.get_sample_value("prequel_label_delay_seconds_count", of) == 1
    published = PartitionStatus.model_validate_json(session._processor._context.store.get(partition_key(0)))  # type: ignore[attr-defined]
    end = session._log.bounds(EXAMPLES)[0].end
    assert published.deleted == str(Position(0, end - 2)), "so that others may find room at once"
    recalls = [metric for metric in registry.collect() if metric.name == "prequel_class_recall"]
    assert not [s for metric in recalls for s in metric.samples if s.labels["stream"] == "s0" and s.value]


def test_counters_of_a_revoked_partition_stay(session: Session, registry: CollectorRegistry) -> None:
    session.discard()
    assert registry.get_sample_value("prequel_predictions_total", {"stream": "s0"}) == 6


def test_a_gauge_without_a_value_is_not_shown(registry: CollectorRegistry) -> None:
    examples, metrics, shown = ExampleLog(), Metrics(registry), frozenset[tuple[str, str]]()
    for number in range(120):
        examples.features(f"i{number}", [number, 1, 0], f"class {number // 2 % 60}")
    fold = new_fold(examples, models="nearest")
    fold.apply(examples.records)

    def measured() -> set[str]:
        nonlocal shown
        actual = stream_status(fold.streams["s"], Position(0, 0), now=0, snapshot=None, address=None)
        shown = set_stream_gauges(actual, metrics, shown)
        [recalls] = metrics.class_recall.collect()
        return {sample.labels["label"] for sample in recalls.samples}

    assert len(measured()) == 50
    fold.apply([examples.label(f"i{number}", None) for number in range(100)])
    assert measured() == {f"class {number}" for number in range(50, 60)}
    fold.apply([examples.label(f"i{number}", None) for number in range(100, 120)])
    assert measured() == set()
    assert registry.get_sample_value("prequel_prequential_accuracy", {"stream": "s", "model": "nearest"}) is None
