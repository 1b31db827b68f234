"""The learner as its operator sees it: what stops it, what it counts."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.learner import Learner
from prequel.services.learner.snapshots.root import read_roots, root_key
from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import EXAMPLES, Message, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed
from prequel.shared.status import PartitionStatus, StreamStatus, detail_key, key, partition_key
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry


class GrowingLog(SqliteLog):
    """A log whose topics get more partitions while it is open, as those of Kafka may."""

    count = 1

    def partitions(self, topic: str) -> int:
        return self.count


@pytest.fixture
def log(tmp_path: Path) -> Iterator[GrowingLog]:
    with closing(GrowingLog(tmp_path / "log")) as log:
        yield log


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "store")) as store:
        yield store


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def started(
    log: SqliteLog,
    store: SqliteStore,
    generation: int = 1,
    registry: CollectorRegistry | None = None,
    **changed: object,
) -> Learner:
    settings = Settings.model_validate({"models": "nearest", **changed})
    metrics = Metrics(registry or CollectorRegistry())
    learner = Learner(settings, log=log, store=store, registry=Registry(), metrics=metrics, clock=time.time, owner="o")
    learner.restore(0, generation)
    return learner


@pytest.mark.parametrize("checkpoints_before", [0, 1])
def test_partitions_added_while_it_runs_stop_a_learner(
    log: GrowingLog, store: SqliteStore, checkpoints_before: int
) -> None:
    examples = ExampleLog()
    learner = started(log, store)
    for _ in range(checkpoints_before):
        learner.checkpoint(learner.process([examples.features("i0", [1, 0, 0], "a")]).positions)
    log.count = 2
    positions = learner.process([examples.features("i1", [1, 0, 0], "a")]).positions
    with pytest.raises(ConfigError, match="has 2 partitions, its snapshots were made with 1"):
        learner.checkpoint(positions)
    assert [root.offset for root in read_roots(store.get(root_key(0)))] == [1] * checkpoints_before


def test_partitions_added_while_no_learner_ran_stop_the_next(log: GrowingLog, store: SqliteStore) -> None:
    learner = started(log, store)
    learner.checkpoint(learner.process([ExampleLog().features("i0", [1, 0, 0], "a")]).positions)
    log.count = 2
    with pytest.raises(ConfigError, match="has 2 partitions, its snapshots were made with 1"):
        started(log, store, 2)


def test_labels_of_one_id_in_two_streams_are_all_counted(
    log: GrowingLog, store: SqliteStore, registry: CollectorRegistry
) -> None:
    examples = ExampleLog()
    examples.label("i0", "a", stream="early")
    examples.features("i0", [1, 0, 0], stream="early")
    examples.features("i0", [1, 0, 0], "a", stream="with")
    started(log, store, registry=registry).process(examples.records)
    for stream in ("early", "with"):
        labels = {"stream": stream, "status": "learned"}
        assert registry.get_sample_value("prequel_labels_total", labels) == 1


def test_the_age_of_a_snapshot_grows_while_idle_and_survives_a_restart(
    log: GrowingLog, store: SqliteStore, registry: CollectorRegistry
) -> None:
    now, settings = [1_000.0], Settings.model_validate({"models": "nearest"})

    def learner(registry: CollectorRegistry) -> Learner:
        return Learner(
            settings,
            log=log,
            store=store,
            registry=Registry(),
            metrics=Metrics(registry),
            clock=lambda: now[0],
            owner="o",
        )

    def age(registry: CollectorRegistry) -> float | None:
        return registry.get_sample_value("prequel_snapshot_age_seconds", {"partition": "0"})

    first, again = learner(registry), CollectorRegistry()
    first.restore(0, 1)
    assert age(registry) is None
    log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in [ExampleLog().features("i0", [1, 0, 0], "a")]])
    first.checkpoint(first.process(log.follow(EXAMPLES, {0: 0}).poll(2, 0)).positions)
    now[0] += 60
    assert age(registry) == 60
    second = learner(again)
    second.restore(0, 2)
    now[0] += 60
    assert age(again) == 120
    second.process(())
    shown = StreamStatus.model_validate_json(store.get(key("s")) or b"")
    assert shown.snapshot is not None
    assert (shown.snapshot.at, shown.snapshot.position, shown.updated_at) == (1_000.0, "0:2", 1_120.0)
    published = PartitionStatus.model_validate_json(store.get(partition_key(0)) or b"")
    assert (published.snapshot, published.streams, published.partitions, published.full) == (shown.snapshot, 1, 1, "")


def test_a_status_written_by_a_fenced_learner_is_replaced(log: GrowingLog, store: SqliteStore) -> None:
    now, settings = [1_000.0], Settings.model_validate({"models": "nearest"})
    learner = Learner(
        settings,
        log=log,
        store=store,
        registry=Registry(),
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: now[0],
        owner="heir",
        address="heir:1",
    )
    learner.restore(0, 2)
    learner.checkpoint(learner.process([ExampleLog().features("i0", [1, 0, 0], "a")]).positions)
    ours = StreamStatus.model_validate_json(store.get(key("s")) or b"")
    store.put(key("s"), ours.model_copy(update={"images": 0, "address": "zombie:1"}).model_dump_json().encode())
    now[0] += 10
    learner.process(())
    actual = StreamStatus.model_validate_json(store.get(key("s")) or b"")
    assert (actual.images, actual.address, actual.updated_at) == (1, "heir:1", 1_010.0)


class Noting(SqliteStore):
    """A store that notes the keys that are put."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.written: list[str] = []

    def put(self, key: str, value: bytes) -> None:
        self.written.append(key)
        super().put(key, value)

    def put_all(self, values: Mapping[str, bytes]) -> None:
        self.written.extend(values)
        super().put_all(values)


def test_idle_streams_are_neither_written_nor_published_again(log: GrowingLog, tmp_path: Path) -> None:
    store = Noting(tmp_path / "noting")
    examples, learner, written = ExampleLog(), started(log, store), store.written
    for number in range(30):
        examples.features("i", [1, 0, number], "a", stream=f"s{number}")
    learner.checkpoint(learner.process(examples.records).positions)
    assert {key_ for key_ in written if key_.startswith("status/")} == {key(f"s{number}") for number in range(30)}
    assert sum(key_.startswith("snapshot/0/part/") for key_ in written) == 30, "a small stream is one value"
    written.clear()
    learner.checkpoint(learner.process([examples.features("j", [1, 0, 0], "a", stream="s7")]).positions)
    assert {key_ for key_ in written if key_.startswith("status/")} == {key("s7")}
    assert {key_ for key_ in written if key_.startswith("detail/")} == {detail_key("s7")}
    assert sum(key_.startswith("snapshot/0/part/") for key_ in written) == 1
    store.close()


def test_a_partition_without_room_says_so_and_which_setting_to_raise(log: GrowingLog, store: SqliteStore) -> None:
    def full() -> str:
        return PartitionStatus.model_validate_json(store.get(partition_key(0)) or b"").full

    examples, learner = ExampleLog(), started(log, store, max_streams=2)
    reader = log.follow(EXAMPLES, {0: 0})

    def learn(learner: Learner, *records: Record) -> Processed:
        log.append([Message(EXAMPLES, each.key, each.value, each.headers) for each in records])
        processed = learner.process(reader.poll(100, 0))
        learner.checkpoint(processed.positions)
        return processed

    learn(learner, examples.features("i", [1, 0, 0], "a", stream="one"))
    assert full() == ""
    learn(learner, examples.features("i", [1, 0, 0], "a", stream="two"))
    assert "PREQUEL_MAX_STREAMS" in full()
    more = [examples.features(f"i{number}", [1, 0, 0], "a", stream="three") for number in range(4)]
    assert [why.counted for _, why in learn(learner, *more).rejected] == [False, True, True, True]
    again = started(log, store, 2, max_streams=2)
    (rejected,) = learn(again, examples.features("i9", [1, 0, 0], "a", stream="three")).rejected
    assert rejected[1].counted, "nor after a restart"
