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
from prequel.shared.log.erasable import Remains
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.base import Fence
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry

ROOT = Path(__file__).resolve().parents[2]


class Installation:
    """A folder with a log and a store; learners start on it one after the other, each a generation later."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.generation, self.now = folder, 0, 0.0
        self.log, self.store = SqliteLog(folder / "log"), SqliteStore(folder / "store")

    def append(self, written: ExampleLog) -> None:
        self.log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in written.records])

    def start(self, now: float, **settings: Any) -> Learner:
        parsed = Settings.model_validate({"models": "nearest", **settings})
        metrics, self.generation, self.now = Metrics(CollectorRegistry()), self.generation + 1, now
        learner = Learner(
            parsed,
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
        parsed = Settings.model_validate({"models": "nearest", **settings})
        made = Rebuild(
            parsed,
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
def installation(tmp_path: Path) -> Iterator[Installation]:
    with closing(Installation(tmp_path)) as installation:
        yield installation


def examples(count: int, name: str = "i") -> ExampleLog:
    log = ExampleLog()
    for number in range(count):
        log.features(f"{name}{number}", [number % 2, 1, 0], "ab"[number % 2])
    return log


def records_of_settings(installation: Installation) -> int:
    begin, end = installation.log.bounds(EXAMPLES)[0]
    return sum(
        ("ce_type", b"prequel.defaults.v1") in record.headers
        for record in installation.log.read(EXAMPLES, 0, range(begin, end)).values()
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
def test_a_changed_setting_loses_nothing_learned_and_can_be_changed_back(
    installation: Installation, change: dict[str, Any]
) -> None:
    installation.append(examples(50))
    before = installation.run(installation.start(1.0)).streams["s"].images
    installation.retain(40)
    for number, settings in enumerate((change, {}, change), 2):
        fold = installation.run(installation.start(float(number), **settings))
        assert (fold.streams["s"].images, fold.config.models[0]) == (
            before,
            settings.get("models", "nearest")[:7].split(",")[0],
        )
    assert records_of_settings(installation) == 4


def test_a_restart_with_the_same_settings_appends_nothing(installation: Installation) -> None:
    installation.append(examples(5))
    for now in (1.0, 2.0, 3.0):
        installation.run(installation.start(now))
    assert records_of_settings(installation) == 1


def test_of_two_learners_with_different_settings_the_later_start_wins(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    installation.append(examples(5))
    old = installation.start(1.0, window=10)
    installation.run(old)
    new = installation.start(2.0, window=20)
    installation.run(new)
    for _ in range(3):
        for learner in (old, new):
            installation.generation += 1
            learner.restore(0, installation.generation)
            installation.run(learner)
    assert new._partitions[0].fold.config.window == 20
    assert records_of_settings(installation) == 2
    assert "with the settings of a learner that started after this one" in caplog.text


def test_a_start_in_the_future_is_overruled(installation: Installation) -> None:
    installation.run(installation.start(1e12, window=10))
    assert installation.run(installation.start(2.0, window=20)).config.window == 20


def test_a_rebuild_starts_with_the_first_settings_of_the_log(installation: Installation) -> None:
    installation.append(examples(20))
    installation.run(installation.start(1.0, max_labels=2))
    installation.append(examples(20, "j"))
    made = installation.run(installation.start(2.0, models="ncm,nearest", window=8))
    verdict = installation.verify(window=99)
    assert (verdict.equal, verdict.remark, verdict.digest) == (True, "bit-equal", made.digest())
    installation.store.close()
    installation.store = SqliteStore(installation.folder / "another")
    assert installation.run(installation.start(3.0, models="ncm,nearest", window=8)).digest() == made.digest()


def test_every_snapshot_is_tried_before_the_learner_stops_and_names_the_choices(installation: Installation) -> None:
    installation.append(examples(20))
    installation.run(installation.start(1.0))
    installation.append(examples(20, "j"))
    newest = installation.run(installation.start(2.0))
    installation.retain(10)
    head = read_roots(installation.store.get(root_key(0)))[0].streams["s"]
    installation.store.put(f"snapshot/0/part/{head}", b"damaged")
    assert installation.run(installation.start(3.0)).digest() == newest.digest()
    for key in installation.store.keys("snapshot/0/part/"):
        installation.store.put(key, b"damaged")
    before = installation.store.get(root_key(0))
    with pytest.raises(ConfigError, match=r"none of its snapshots .* can be used.*run `prequel rebuild`"):
        installation.start(4.0)
    assert installation.store.get(root_key(0)) == before


def test_a_log_that_begins_after_every_snapshot_stops_the_learner(installation: Installation) -> None:
    installation.append(examples(20))
    installation.run(installation.start(1.0))
    installation.append(examples(20, "j"))
    installation.retain(30)
    with pytest.raises(ConfigError, match="the log begins at 30"):
        installation.start(2.0)


@pytest.mark.parametrize("begin", [0, 10])
def test_snapshots_of_an_older_prequel(installation: Installation, begin: int) -> None:
    installation.append(examples(20))
    expected = installation.run(installation.start(1.0)).digest()
    body = orjson.loads(installation.store.get(root_key(0)) or b"")
    installation.store.swap(root_key(0), Fence(0, 1, "o"), orjson.dumps(body | {"format": FORMAT - 1}))
    installation.retain(begin)
    if begin:
        with pytest.raises(ConfigError, match="of an older Prequel"):
            installation.start(2.0)
    else:
        assert installation.run(installation.start(2.0)).digest() == expected


def test_a_new_partition_may_begin_above_0(installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
    installation.append(examples(20))
    installation.retain(10)
    assert installation.run(installation.start(1.0)).streams["s"].images == 10
    assert "is rebuilt from 10 on" in caplog.text
    assert installation.run(installation.start(2.0, window=3)).streams["s"].images == 10


def test_a_log_that_went_on_differently_is_never_resumed(installation: Installation, tmp_path: Path) -> None:
    installation.append(examples(10))
    installation.run(installation.start(1.0))
    other = Installation(tmp_path / "other")
    with closing(other):
        other.append(examples(7))
        other.append(examples(9, "j"))
        expected = other.run(other.start(1.0)).streams
    installation.log.close()
    installation.log = SqliteLog(tmp_path / "other" / "log")
    actual = installation.run(installation.start(2.0)).streams
    assert stream_numbers(actual["s"]) == stream_numbers(expected["s"])
    assert read_roots(installation.store.get(root_key(0)))[-1].generation == 2


def test_a_snapshot_whose_last_record_was_erased_since_is_still_of_this_log(installation: Installation) -> None:
    """The last record before a snapshot may be of a stream that is deleted later, and older snapshots stay."""
    log = examples(5)
    log.features("g", [1, 0, 0], "a", stream="gone")
    installation.append(log)
    installation.run(installation.start(1.0))
    before = len(read_roots(installation.store.get(root_key(0))))
    last = installation.log.bounds(EXAMPLES)[0].end - 1
    installation.log.erase(
        EXAMPLES, 0, range(last, last + 1), mentioning=b"", redact=lambda record: Remains(erased_headers())
    )
    roots = read_roots(installation.store.get(root_key(0)))
    assert [log_mismatch(installation.log, 0, root) for root in roots] == [""] * before
    assert installation.start(2.0)._partitions[0].fold.digest() == roots[0].digest


def test_statuses_of_streams_that_the_log_does_not_have_are_removed(installation: Installation) -> None:
    """An earlier Prequel let a label begin a stream; nobody could ever delete one that the log does not make."""
    installation.store.put(status.key("petz"), b"{}")
    installation.append(examples(3))
    learner = installation.start(1.0)
    installation.run(learner)
    installation.now += STORE_CHECK_SECONDS
    learner.process([])
    learner.process([])
    assert status.streams(installation.store.keys(status.PREFIX)) == ["s"]


def test_a_late_label_has_the_same_outcome_before_and_after_a_restart(installation: Installation) -> None:
    installation.append(examples(10))
    learner = installation.start(1.0)
    installation.run(learner)
    installation.retain(8)
    late = encode_label("s", "i3", "c", by="me", time=1.0, event_id="e", source="test")
    installation.log.append([late])
    learner._context.log = learner._partitions[0].fold.cache._log = installation.log
    fold = learner._partitions[0].fold
    record = installation.log.read(EXAMPLES, 0, [fold.position])[fold.position]
    again = installation.start(2.0)._partitions[0].fold
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


def test_verify_on_another_kind_of_machine_compares_within_a_tolerance(installation: Installation) -> None:
    import numpy as np

    log, random = ExampleLog(), np.random.default_rng(0)
    for number in range(300):
        log.features(f"i{number}", random.standard_normal(256).tolist(), "abc"[number % 3])
    installation.append(log)

    def run(what: str, kernels: str) -> str:
        """By kernels of OpenBLAS that every x86-64 processor can run, and that round each in their own way."""
        command = [sys.executable, "-c", ELSEWHERE, str(installation.folder), what]
        environment = os.environ | {"OPENBLAS_CORETYPE": kernels}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=300
        ).stdout

    run("write", "Nehalem")
    assert run("verify", "Nehalem") == "True bit-equal\n"
    actual = run("verify", "Prescott")
    if "blas" in actual:  # another BLAS than OpenBLAS has no such choice
        assert actual.startswith("True not bit-equal, but equal: counts, classes, ids, labels and positions exactly")
    body = orjson.loads(installation.store.get(root_key(0)) or b"")
    body["roots"][0]["digest"] = "0" * 64
    installation.store.swap(root_key(0), Fence(0, 0, "me"), orjson.dumps(body))
    assert run("verify", "Nehalem") == "False the snapshot is not what the log says\n"
