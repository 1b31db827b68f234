"""Where a learner begins: with what was learned, whatever its settings, or not at all, saying what can be chosen."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.stream_numbers import stream_numbers
from prequel.services.learner.learner import STORE_CHECK_SECONDS, Learner
from prequel.services.learner.replay.rebuild import Rebuild
from prequel.services.learner.replay.verification import Verdict
from prequel.services.learner.snapshots.root import FORMAT, read_roots, root_key
from prequel.services.learner.snapshots.usability import log_mismatch
from prequel.shared import status
from prequel.shared.config import ConfigError, Settings
from prequel.shared.events.erased import erased_headers
from prequel.shared.events.labels import encode_label
from prequel.shared.events.types import Outcome
from prequel.shared.log.base import EXAMPLES, Message
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.base import Fence
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import Registry, Written

ROOT = Path(__file__).resolve().parents[2]


class Place:
    """A folder with a log and a store; learners start on it one after the other, each a generation later."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.generation, self.now = folder, 0, 0.0
        self.log, self.store = SqliteLog(folder / "log"), SqliteStore(folder / "store")

    def append(self, written: Written) -> None:
        self.log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in written.records])

    def start(self, now: float, **settings: Any) -> Learner:
        given = Settings.model_validate({"models": "nearest", **settings})
        metrics, self.generation, self.now = Metrics(CollectorRegistry()), self.generation + 1, now
        learner = Learner(
            given,
            log=self.log,
            store=self.store,
            registry=Registry(),
            metrics=metrics,
            clock=lambda: self.now,
            owner="o",
        )
        learner.restore(0, self.generation)
        return learner

    def run(self, learner: Learner) -> Fold:
        """To the end of the log, what it appends itself included, and a snapshot there."""
        fold = learner._partitions[0].fold
        while fold.position < self.log.bounds(EXAMPLES)[0].end:
            with closing(self.log.follow(EXAMPLES, {0: fold.position})) as reader:
                learner.process(reader.poll(1_000, 0))
        learner.checkpoint({0: fold.position})
        return fold

    def retain(self, begin: int) -> None:
        """As retention does."""
        self.log.close()
        with closing(sqlite3.connect(self.folder / "log" / "examples.sqlite")) as connection, connection:
            connection.execute("DELETE FROM p0 WHERE offset < ?", (begin,))
        self.log = SqliteLog(self.folder / "log")

    def verify(self, **settings: Any) -> Verdict:
        given = Settings.model_validate({"models": "nearest", **settings})
        made = Rebuild(
            given,
            log=self.log,
            store=self.store,
            registry=Registry(),
            advance=lambda *_: None,
            stop=threading.Event(),
        )
        return made.verify(1)[0]

    def close(self) -> None:
        self.log.close()
        self.store.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with closing(Place(tmp_path)) as place:
        yield place


def examples(count: int, name: str = "i") -> Written:
    log = Written()
    for number in range(count):
        log.features(f"{name}{number}", [number % 2, 1, 0], "ab"[number % 2])
    return log


def records_of_settings(place: Place) -> int:
    begin, end = place.log.bounds(EXAMPLES)[0]
    return sum(
        ("ce_type", b"prequel.defaults.v1") in record.headers
        for record in place.log.read(EXAMPLES, 0, range(begin, end)).values()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"max_labels": 1_001},
        {"seed": 3},
        {"window": 7},
        {"duplicates": 3},
        {"accuracy_window": 5},
        {"max_streams": 9},
        {"max_waiting": 9},
        {"max_model_bytes": 2**21},
        {"unknown_probability": 0.5},
        {"unknown_distance": 9.0},
        {"models": "nearest,ncm"},
        {"models": "ncm"},
    ],
)
def test_a_changed_setting_loses_nothing_learned_and_can_be_changed_back(place: Place, change: dict[str, Any]) -> None:
    place.append(examples(50))
    before = place.run(place.start(1.0)).streams["s"].images
    place.retain(40)
    for number, settings in enumerate((change, {}, change), 2):
        fold = place.run(place.start(float(number), **settings))
        assert (fold.streams["s"].images, fold.config.models[0]) == (
            before,
            settings.get("models", "nearest")[:7].split(",")[0],
        )
    assert records_of_settings(place) == 4


def test_a_restart_with_the_same_settings_appends_nothing(place: Place) -> None:
    place.append(examples(5))
    for now in (1.0, 2.0, 3.0):
        place.run(place.start(now))
    assert records_of_settings(place) == 1


def test_of_two_learners_with_different_settings_the_later_start_wins(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.append(examples(5))
    old = place.start(1.0, window=10)
    place.run(old)
    new = place.start(2.0, window=20)
    place.run(new)
    for _ in range(3):
        for learner in (old, new):
            place.generation += 1
            learner.restore(0, place.generation)
            place.run(learner)
    assert new._partitions[0].fold.config.window == 20
    assert records_of_settings(place) == 2
    assert "with the settings of a learner that started after this one" in caplog.text


def test_a_start_in_the_future_is_overruled(place: Place) -> None:
    place.run(place.start(1e12, window=10))
    assert place.run(place.start(2.0, window=20)).config.window == 20


def test_a_rebuild_starts_with_the_first_settings_of_the_log(place: Place) -> None:
    place.append(examples(20))
    place.run(place.start(1.0, max_labels=2))
    place.append(examples(20, "j"))
    made = place.run(place.start(2.0, models="ncm,nearest", window=8))
    verdict = place.verify(window=99)
    assert (verdict.equal, verdict.remark, verdict.digest) == (True, "bit-equal", made.digest())
    place.store.close()
    place.store = SqliteStore(place.folder / "another")
    assert place.run(place.start(3.0, models="ncm,nearest", window=8)).digest() == made.digest()


def test_every_snapshot_is_tried_before_the_learner_stops_and_names_the_choices(place: Place) -> None:
    place.append(examples(20))
    place.run(place.start(1.0))
    place.append(examples(20, "j"))
    newest = place.run(place.start(2.0))
    place.retain(10)
    head = read_roots(place.store.get(root_key(0)))[0].streams["s"]
    place.store.put(f"snapshot/0/part/{head}", b"damaged")
    assert place.run(place.start(3.0)).digest() == newest.digest()
    for key in place.store.keys("snapshot/0/part/"):
        place.store.put(key, b"damaged")
    before = place.store.get(root_key(0))
    with pytest.raises(ConfigError, match=r"none of its snapshots .* can be used.*run `prequel rebuild`"):
        place.start(4.0)
    assert place.store.get(root_key(0)) == before


def test_a_log_that_begins_after_every_snapshot_stops_the_learner(place: Place) -> None:
    place.append(examples(20))
    place.run(place.start(1.0))
    place.append(examples(20, "j"))
    place.retain(30)
    with pytest.raises(ConfigError, match="the log begins at 30"):
        place.start(2.0)


@pytest.mark.parametrize("begin", [0, 10])
def test_snapshots_of_an_older_prequel(place: Place, begin: int) -> None:
    place.append(examples(20))
    expected = place.run(place.start(1.0)).digest()
    body = orjson.loads(place.store.get(root_key(0)) or b"")
    place.store.swap(root_key(0), Fence(0, 1, "o"), orjson.dumps(body | {"format": FORMAT - 1}))
    place.retain(begin)
    if begin:
        with pytest.raises(ConfigError, match="of an older Prequel"):
            place.start(2.0)
    else:
        assert place.run(place.start(2.0)).digest() == expected


def test_a_new_partition_may_begin_above_0(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.append(examples(20))
    place.retain(10)
    assert place.run(place.start(1.0)).streams["s"].images == 10
    assert "is rebuilt from 10 on" in caplog.text
    assert place.run(place.start(2.0, window=3)).streams["s"].images == 10


def test_a_log_that_went_on_differently_is_never_resumed(place: Place, tmp_path: Path) -> None:
    place.append(examples(10))
    place.run(place.start(1.0))
    other = Place(tmp_path / "other")
    with closing(other):
        other.append(examples(7))
        other.append(examples(9, "j"))
        expected = other.run(other.start(1.0)).streams
    place.log.close()
    place.log = SqliteLog(tmp_path / "other" / "log")
    actual = place.run(place.start(2.0)).streams
    assert stream_numbers(actual["s"]) == stream_numbers(expected["s"])
    assert read_roots(place.store.get(root_key(0)))[-1].generation == 2


def test_a_snapshot_whose_last_record_was_erased_since_is_still_of_this_log(place: Place) -> None:
    """The last record before a snapshot may be of a stream that is deleted later, and older snapshots stay."""
    log = examples(5)
    log.features("g", [1, 0, 0], "a", stream="gone")
    place.append(log)
    place.run(place.start(1.0))
    before = len(read_roots(place.store.get(root_key(0))))
    last = place.log.bounds(EXAMPLES)[0].end - 1
    place.log.erase(EXAMPLES, 0, range(last, last + 1), mentioning=b"", redact=lambda record: erased_headers())
    roots = read_roots(place.store.get(root_key(0)))
    assert [log_mismatch(place.log, 0, root) for root in roots] == [""] * before
    assert place.start(2.0)._partitions[0].fold.digest() == roots[0].digest


def test_statuses_of_streams_that_the_log_does_not_have_are_removed(place: Place) -> None:
    """An earlier Prequel let a label begin a stream; nobody could ever delete one that the log does not make."""
    place.store.put(status.key("petz"), b"{}")
    place.append(examples(3))
    learner = place.start(1.0)
    place.run(learner)
    place.now += STORE_CHECK_SECONDS
    learner.process([])
    learner.process([])
    assert status.streams(place.store.keys(status.PREFIX)) == ["s"]


def test_a_late_label_has_the_same_outcome_before_and_after_a_restart(place: Place) -> None:
    place.append(examples(10))
    learner = place.start(1.0)
    place.run(learner)
    place.retain(8)
    late = encode_label("s", "i3", "c", by="me", time=1.0, event_id="e", source="test")
    place.log.append([late])
    learner._context.log = learner._partitions[0].fold.cache._log = place.log
    fold = learner._partitions[0].fold
    record = place.log.read(EXAMPLES, 0, [fold.position])[fold.position]
    again = place.start(2.0)._partitions[0].fold
    answers = [each.apply([record]).outputs[0].event for each in (fold, again)]
    assert [answer.status for answer in answers if isinstance(answer, Outcome)] == ["expired", "expired"]
    assert fold.digest() == again.digest()


ELSEWHERE = """
import sys, threading
from pathlib import Path
from prequel.services.learner.models import registry
from prequel.services.learner.replay.rebuild import Rebuild
from prequel.shared.config import Settings
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.store.sqlite import SqliteStore
log, store = SqliteLog(Path(sys.argv[1]) / "log"), SqliteStore(Path(sys.argv[1]) / "store")
made = Rebuild(Settings(models="slda,logistic"), log=log, store=store, registry=registry, advance=lambda *_: None,
               stop=threading.Event())
(verdict,) = made.verify(1) if sys.argv[2] == "verify" else made.write(1, "me")
print(verdict.equal, verdict.remark)
"""


def test_verify_on_another_kind_of_machine_compares_within_a_tolerance(place: Place) -> None:
    import numpy as np

    log, random = Written(), np.random.default_rng(0)
    for number in range(300):
        log.features(f"i{number}", random.standard_normal(256).tolist(), "abc"[number % 3])
    place.append(log)

    def run(what: str, kernels: str) -> str:
        """By kernels of OpenBLAS that every x86-64 processor can run, and that round each in their own way."""
        command = [sys.executable, "-c", ELSEWHERE, str(place.folder), what]
        environment = os.environ | {"OPENBLAS_CORETYPE": kernels}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=300
        ).stdout

    run("write", "Nehalem")
    assert run("verify", "Nehalem") == "True bit-equal\n"
    actual = run("verify", "Prescott")
    if "blas" in actual:  # another BLAS than OpenBLAS has no such choice
        assert actual.startswith("True not bit-equal, but equal: counts, classes, ids, labels and positions exactly")
    body = orjson.loads(place.store.get(root_key(0)) or b"")
    body["roots"][0]["digest"] = "0" * 64
    place.store.swap(root_key(0), Fence(0, 0, "me"), orjson.dumps(body))
    assert run("verify", "Nehalem") == "False the snapshot is not what the log says\n"
