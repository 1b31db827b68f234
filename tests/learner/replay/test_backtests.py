"""Back-tests: equal to a plain fold over the same events; ended, restarted, refused, bounded, forgotten."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.fold.evaluation.intervals import RISK
from prequel.services.learner.fold.evaluation.verdicts import kind_of
from prequel.services.learner.learner import Learner
from prequel.services.learner.publishing.stream_status import stream_detail, stream_status
from prequel.services.learner.replay.backtests.range_comparisons import RangeComparisons, range_verdicts
from prequel.services.learner.replay.backtests.stored import MAX_KEPT, StoredBacktests
from prequel.services.learner.replay.jobs.base import Job, JobContext
from prequel.services.learner.replay.jobs.in_process import InProcessWorkers
from prequel.services.learner.replay.jobs.kinds import KINDS
from prequel.services.learner.replay.jobs.queue import MAX_QUEUED
from prequel.shared import backtests
from prequel.shared.backtests import MAX_MODELS, Backtest, BacktestRefused, BacktestRequest, BacktestResult
from prequel.shared.config import Settings
from prequel.shared.events.features import encode_features
from prequel.shared.events.types import Image, Outcome, Prediction
from prequel.shared.log.base import EXAMPLES, Message, Position, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.queries import UnknownStream
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.status import StreamStatus, key
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry, new_fold

MODELS = "nearest,logistic"
LABELLED = ("learned", "corrected", "retracted")


class Waiting:
    """Workers whose jobs run when the test says so."""

    def __init__(self, context: JobContext) -> None:
        self._workers = InProcessWorkers(KINDS, context)
        self.started: list[Job] = []
        self.running = 0
        self.may_end = False

    def start(self, job: Job) -> "WaitingJob":
        self.started.append(job)
        self.running += 1
        return WaitingJob(self, self._workers.start(job))


class WaitingJob:
    def __init__(self, workers: Waiting, job: Any) -> None:
        self._workers, self._job, self.progress = workers, job, 0.5

    def poll(self) -> bool:
        return bool(self._workers.may_end and self._job.poll())

    def outcome(self) -> bytes:
        self._workers.running -= 1
        return bytes(self._job.outcome())

    def cancel(self) -> None:
        self._workers.running -= 1
        self._job.cancel()


class FailingStore(SqliteStore):
    """A store that can be unavailable."""

    away = False

    def put(self, key: str, value: bytes) -> None:
        if self.away:
            raise StoreUnavailable("so says the test")
        super().put(key, value)


class Bench:
    """A learner over the embedded log and store, one turn after the other, on a clock of its own."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.log, self.store = SqliteLog(folder / "log"), FailingStore(folder / "store")
        self.settings = Settings.model_validate({"models": MODELS, **settings})
        self.now, self._generation = 1_000.0, 0
        self.examples = ExampleLog()
        context = JobContext(settings=self.settings, log=self.log, store=self.store, registry=Registry())
        self.workers = Waiting(context)
        self.workers.may_end = True
        self.begin()

    def begin(self) -> None:
        """A new learner takes the partition over, and folds the log."""
        self._generation += 1
        self.learner = Learner(
            self.settings,
            log=self.log,
            store=self.store,
            registry=Registry(),
            metrics=Metrics(CollectorRegistry()),
            clock=lambda: self.now,
            owner="o",
            workers=self.workers,
        )
        self._position = self.learner.restore(0, self._generation)

    def append(self, records: Sequence[Record]) -> None:
        if records:
            self.log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in records])

    def turn(self, records: int = 10_000) -> None:
        """Fold what the log has."""
        self.now += 1.0
        reader = self.log.follow(EXAMPLES, {0: self._position})
        found = reader.poll(records, 0)
        reader.close()
        self.learner.process(found)
        self._position += len(found)

    def learn(self, records: Sequence[Record]) -> None:
        self.append(records)
        self.turn()
        self.turn()

    def start(self, *models: str, id: str = "b1", stream: str = "s", **more: Any) -> Backtest:
        return self.learner.start_backtest(stream, BacktestRequest(id=id, models=list(models), **more))

    def known(self, id: str = "b1", stream: str = "s") -> Backtest:
        found = StoredBacktests(self.store).get(stream, id)
        assert found is not None
        return found

    def run(self, *models: str, id: str = "b1", **more: Any) -> BacktestResult:
        assert self.start(*models, id=id, **more).status == "waiting"
        for _ in range(4):
            self.turn()
        done = self.known(id)
        assert (done.status, done.progress, done.why, done.job) == ("done", 1.0, "", {})
        return BacktestResult.model_validate_json(self.store.get(backtests.result_key("s", id)) or b"")

    def close(self) -> None:
        self.learner.close()
        self.log.close()
        self.store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as bench:
        yield bench


def history(log: ExampleLog, seed: int = 1, count: int = 120) -> ExampleLog:
    """Two streams of three classes: late labels, wrong ones, retractions, duplicates, labels that come too early."""
    random = np.random.default_rng(seed)
    centres, truths = 2 * random.normal(size=(3, 3)), list[int]()
    log.label("i3", "c0")
    for number in range(count):
        truths.append(int(random.integers(3)))
        x = (centres[truths[-1]] + 2 * random.normal(size=3)).tolist()
        log.features(f"i{number}", x, f"c{truths[-1]}" if random.random() < 0.5 else None)
        log.features(f"o{number}", x, "other", stream="other")
        if random.random() < 0.1:
            log.features(f"i{number}", x)
        while random.random() < 0.5:
            at, chance = int(random.integers(number + 1)), random.random()
            truth = truths[at] if chance < 0.8 else int(random.integers(3))
            log.label(f"i{at}", None if chance < 0.1 else f"c{truth}")
    return log


def plain(records: Sequence[Record], models: str, **settings: Any) -> Any:
    """The stream's state by a fold that has had these models from the first of the records on."""
    log = ExampleLog()
    log.records = list(records)
    fold = new_fold(log, models=models, **settings)
    for start in range(0, len(records), 7):
        fold.apply(records[start : start + 7])
    return fold.streams["s"]


def assert_equal(result: BacktestResult, state: Any) -> None:
    end = Position(0, 0)
    status, detail = stream_status(state, end, now=0, snapshot=None, address=None), stream_detail(state, end)
    assert (result.images, result.labelled) == (state.images, state.labelled)
    assert result.models == status.models
    assert [each.model_dump() for each in result.curve] == [each.model_dump() for each in detail.curve]
    assert result.confusion == detail.confusion
    assert result.drifts == status.drifts
    assert result.label_order == status.label_order


# What it says.


@pytest.mark.parametrize("models", ["ncm,slda", "logistic", "ncm,nearest,slda;decay=0.01"])
def test_the_result_is_that_of_a_fold_that_had_the_models_from_the_beginning(bench: Bench, models: str) -> None:
    records = history(bench.examples).records
    bench.learn(records)
    specs = models.split(",")
    result = bench.run(*specs)
    asked = ["nearest", *(spec for spec in specs if spec != "nearest")]
    assert (result.champion, list(result.models), result.notes) == ("nearest", asked, [])
    assert_equal(result, plain(records, ",".join(asked)))
    assert result.models["nearest"].scored > 50


def test_it_reads_the_part_that_is_asked_for(bench: Bench) -> None:
    records = history(bench.examples).records
    bench.learn(records)
    shift = bench.log.bounds(EXAMPLES)[0].end - len(records)  # The settings, which the learner wrote first.
    since = 150 + shift
    for id, text in (("b1", f"0:{since}"), ("b2", str(since))):
        result = bench.run("ncm", id=id, since=text)
        assert (result.begin, result.end) == (f"0:{since}", f"0:{len(records) + shift}")
        state = plain(records[150:], "nearest,ncm")
        assert (result.images, result.labelled) == (state.images, state.labelled)


def test_a_part_that_begins_with_what_the_stream_refused_is_read_like_any_other(bench: Bench) -> None:
    examples = bench.examples
    for number in range(10):
        examples.features(f"i{number}", [1, 0, number % 2], "ab"[number % 2])
    image = Image("odd", "s", "a", 1_000.0, b"", Position(0, 10))
    examples.append(encode_features(image, np.ones(4, np.float32), "another-4", source="test"))
    for number in range(10):
        examples.features(f"j{number}", [1, 0, number % 2], "ab"[number % 2])
    bench.learn(examples.records)
    assert bench.run("ncm", since=str(bench.log.bounds(EXAMPLES)[0].end - 11)).images == 10


def test_of_the_last_examples_it_reads_those(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    assert bench.run("ncm", last=30).images == 30
    assert bench.run("ncm", id="b2", last=120).images == 120
    assert bench.run("ncm", id="b3", last=10**9).images == 120


def test_events_that_come_after_it_was_asked_for_are_not_in_it(bench: Bench) -> None:
    records = history(bench.examples).records
    bench.append(records)
    for _ in range(2):
        bench.turn(100)
    bench.start("ncm")
    end = bench.learner.detail("s").position
    for _ in range(8):
        bench.turn()
    result = BacktestResult.model_validate_json(bench.store.get(backtests.result_key("s", "b1")) or b"")
    assert result.end == end
    assert result.images < 120


def test_what_retention_has_removed_is_said(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    pruned = bench.log.pruning(EXAMPLES)
    while pruned.delete_oldest(0, 100):
        pass
    assert bench.log.bounds(EXAMPLES)[0].begin == 100
    result = bench.run("ncm")
    assert result.begin == "0:100"
    assert result.notes == ["The log begins at 0:100: retention has removed the events from 0:1 on."]
    assert bench.run("ncm", id="b2", since="0:120").notes == []


def test_a_stream_that_was_deleted_and_began_again_is_only_the_new_one(bench: Bench) -> None:
    examples = bench.examples
    for number in range(10):
        examples.features(f"i{number}", [1, 0, number % 2], "ab"[number % 2])
    examples.delete("d1", late=1)
    examples.features("late", [1, 0, 0], "a")
    for number in range(6):
        examples.features(f"n{number}", [0, 1, number % 2], "ab"[number % 2])
    bench.learn(examples.records)
    assert bench.run("ncm").images == 6


def test_the_settings_in_the_log_are_those_of_their_time(bench: Bench) -> None:
    examples = bench.examples
    for number in range(20):
        examples.features(f"i{number}", [1, 0, number % 2], "ab"[number % 2])
    examples.defaults(started=1_000.5, models="logistic,nearest", accuracy_window=5)
    for number in range(20, 40):
        examples.features(f"i{number}", [1, 0, number % 2], "abc"[number % 3])
    bench.learn(examples.records)
    result = bench.run("ncm")
    assert (list(result.models), result.images) == (["logistic", "ncm"], 40)
    live = StreamStatus.model_validate_json(bench.store.get(key("s")) or b"")
    assert result.models["logistic"] == live.models["logistic"]
    assert result.models["logistic"].window_accuracy != result.models["logistic"].accuracy


@pytest.mark.parametrize("rebuild", [False, True])
def test_the_past_is_what_the_stream_s_commands_have_made_of_it(bench: Bench, rebuild: bool) -> None:
    examples = history(bench.examples)
    examples.command("k1", "class.rename", **{"from": "c0", "to": "zero"})
    examples.command("k2", "class.merge", **{"from": "c1", "to": "c2"})
    examples.command("k3", "example.forget", ids=["i5", "i6", "i7"])
    examples.command("k4", "stream.set", accuracy_window=20)
    if rebuild:
        examples.command("k5", "models.rebuild")
    examples.label("i30", "zero")
    bench.learn(examples.records)
    for _ in range(6):
        bench.turn()
    live = StreamStatus.model_validate_json(bench.store.get(key("s")) or b"")
    assert (live.catching_up, live.images) == (None, 117), "the live stream has caught up"
    result = bench.run("ncm")
    assert result.models["nearest"] == live.models["nearest"]
    assert set(result.confusion["ncm"].labels) == {"zero", "c2"}
    assert result.images == 117


# Verdicts.


def test_the_verdict_is_over_the_whole_range_and_restated_by_corrections(bench: Bench) -> None:
    """Counted here from the predictions of the time and the labels of the end."""
    records = history(bench.examples, count=700).records
    bench.learn(records)
    result = bench.run("logistic")
    log = ExampleLog()
    log.records = list(records)
    predicted: dict[str, Mapping[str, str | None]] = {}
    truths: dict[str, str | None] = {}
    for _, event in new_fold(log, models="nearest,logistic").apply(records).outputs:
        if isinstance(event, Prediction) and event.stream == "s":
            predicted[event.id], truths[event.id] = event.models, event.truth
        elif isinstance(event, Outcome) and event.stream == "s" and event.status in LABELLED:
            truths[event.id] = event.label
    known = [(predicted[id], truth) for id, truth in truths.items() if truth and any(predicted[id].values())]
    wins = sum(models["logistic"] == truth != models["nearest"] for models, truth in known)
    losses = sum(models["nearest"] == truth != models["logistic"] for models, truth in known)
    verdict = result.verdicts["logistic"]
    assert (verdict.scored, verdict.wins, verdict.losses) == (len(known), wins, losses)
    assert verdict.scored > 500, "the live comparison has begun again by now"
    assert verdict.verdict == kind_of(_epoch(verdict), RISK)
    assert f"on {len(known):,} labels" in verdict.text


def _epoch(verdict: Any) -> Any:
    comparisons = RangeComparisons(1)
    comparisons.counts[0].scored, comparisons.counts[0].wins = verdict.scored, verdict.wins
    comparisons.counts[0].losses = verdict.losses
    return comparisons.counts[0]


def counted(turns: Callable[[int], bool], wins: Callable[[int], bool], count: int = 400) -> RangeComparisons:
    comparisons = RangeComparisons(1)
    for index in range(count):
        won = wins(index)
        comparisons.score(index, 1, [0 if won else 1, 1], mixed=turns(index))
        comparisons.restart(0, index)
    return comparisons


def test_a_clear_advantage_is_better_and_a_clear_disadvantage_worse() -> None:
    verdict = range_verdicts(counted(lambda index: True, lambda index: index % 10 == 0), "slda", ["ridge"])["ridge"]
    assert (verdict.verdict, verdict.wins, verdict.losses, verdict.scored) == ("better", 40, 0, 400)
    assert verdict.text == "ridge would have been better than slda on 400 labels: 100.0 % against 90.0 %."
    comparisons = RangeComparisons(1)
    for index in range(400):
        comparisons.score(index, 1, [1, index % 2], mixed=True)
    assert range_verdicts(comparisons, "slda", ["ridge"])["ridge"].verdict == "worse"


def test_equal_models_are_not_told_apart() -> None:
    verdict = range_verdicts(counted(lambda index: True, lambda index: False), "slda", ["ridge"])["ridge"]
    assert (verdict.verdict, verdict.difference) == ("open", 0.0)
    assert verdict.text == "ridge and slda cannot be told apart on 400 labels: 100.0 % against 100.0 %."


def test_labels_that_come_class_after_class_are_left_out_and_corrections_of_them_too() -> None:
    comparisons = counted(lambda index: not 99 <= index < 299, lambda index: True)
    assert (comparisons.counts[0].scored, comparisons.left_out) == (200, 200)
    for index, expected in ((50, 199), (100, 199), (299, 199), (300, 198)):
        comparisons.count(index, 1, [0, 1], -1)
        assert comparisons.counts[0].scored == expected
    verdict = range_verdicts(comparisons, "slda", ["ridge"])["ridge"]
    assert "on 198 labels that came mixed (200 did not)" in verdict.text


def test_nothing_is_said_where_all_labels_come_class_after_class() -> None:
    comparisons = RangeComparisons(1)
    comparisons.score(0, 1, [-2, -2], mixed=False)
    for index in range(1, 50):
        comparisons.score(index, 1, [0, 1], mixed=False)
    verdict = range_verdicts(comparisons, "slda", ["ridge"])["ridge"]
    assert (verdict.verdict, verdict.text) == (
        "silent",
        "ridge is not compared with slda: the labels came class after class.",
    )


# What is refused.


@pytest.mark.parametrize(
    ("models", "more", "field", "why"),
    [
        (["ridgee"], {}, "models", "did you mean ridge?"),
        (["ncm", "ncm"], {}, "models", "name each model once"),
        ([f"slda;decay=0.00{n}" for n in range(1, MAX_MODELS + 2)], {}, "models", "name 8 at most"),
        (["mix(ridge;width=8192,ridge;width=8000)"], {}, "models", "PREQUEL_MAX_MODEL_BYTES: name fewer"),
        (["river:linear_model.Perceptron"], {}, "models", "PREQUEL_SNAPSHOT_KEY"),
        (["ncm"], {"since": "1:3"}, "since", "are in partition 0"),
        (["ncm"], {"since": "0:99999"}, "since", "is not before"),
        (["ncm"], {"since": "soon"}, "since", "neither partition:offset nor an offset"),
        (["ncm"], {"since": "0:3", "last": 3}, "last", "not both"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    bench: Bench, models: list[str], more: dict[str, Any], field: str, why: str
) -> None:
    bench.learn(history(bench.examples).records)
    with pytest.raises(BacktestRefused, match=why.replace("?", r"\?")) as refused:
        bench.start(*models, **more)
    assert refused.value.field == field
    assert StoredBacktests(bench.store).all("s") == []
    assert not bench.workers.started


def test_a_stream_without_labels_or_none_at_all_is_refused(bench: Bench) -> None:
    bench.examples.features("i0", [1, 0, 0])
    bench.learn(bench.examples.records)
    with pytest.raises(BacktestRefused, match="has no labelled example yet"):
        bench.start("ncm")
    with pytest.raises(UnknownStream):
        bench.start("ncm", stream="nobody")
    with pytest.raises(UnknownStream):
        bench.learner.end_backtest("nobody", "b1")


def test_more_examples_than_the_window_remembers_are_refused(tmp_path: Path) -> None:
    with closing(Bench(tmp_path, window=50)) as bench:
        bench.learn(history(bench.examples).records)
        with pytest.raises(BacktestRefused, match=r"where its newest 50 examples begin \(PREQUEL_WINDOW\)"):
            bench.start("ncm", last=51)
        assert bench.run("ncm", last=50).images == 50


def test_too_many_are_refused_and_leave_nothing(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    bench.workers.may_end = False
    bench.start("ncm", id="first")
    bench.turn()
    for number in range(MAX_QUEUED):
        bench.start("ncm", id=f"b{number}")
    with pytest.raises(BacktestRefused, match=f"{MAX_QUEUED} jobs wait already"):
        bench.start("ncm", id="one-too-many")
    assert StoredBacktests(bench.store).get("s", "one-too-many") is None
    assert bench.workers.running == 1
    bench.workers.may_end = True
    for _ in range(2 * MAX_QUEUED + 4):
        bench.turn()
    assert {each.status for each in StoredBacktests(bench.store).all("s")} == {"done"}


# Its life.


def test_the_progress_is_in_the_store(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    bench.workers.may_end = False
    bench.start("ncm")
    assert (bench.known().status, bench.known().progress) == ("waiting", 0.0)
    bench.turn()
    bench.turn()
    assert (bench.known().status, bench.known().progress) == ("running", 0.5)


def test_asked_for_again_with_its_id_it_is_the_same(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    bench.run("ncm")
    assert bench.start("slda").models == ["ncm"]
    assert len(bench.workers.started) == 1


@pytest.mark.parametrize("turns", [0, 1])
def test_cancelled_it_stays_in_the_list_and_is_forgotten_by_the_next_call(bench: Bench, turns: int) -> None:
    bench.learn(history(bench.examples).records)
    bench.workers.may_end = False
    bench.start("ncm")
    for _ in range(turns):
        bench.turn()
    ended = bench.learner.end_backtest("s", "b1")
    assert ended is not None
    assert (ended.status, ended.ended_at, bench.workers.running) == ("cancelled", bench.now, 0)
    assert bench.known() == ended
    bench.turn()
    assert bench.known() == ended
    forgotten = bench.learner.end_backtest("s", "b1")
    assert forgotten is not None
    assert forgotten.status == "forgotten"
    assert bench.learner.end_backtest("s", "b1") is None
    assert StoredBacktests(bench.store).all("s") == []


def test_one_that_has_ended_is_forgotten_with_its_result(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    bench.run("ncm")
    bench.learner.end_backtest("s", "b1")
    assert bench.store.get(backtests.result_key("s", "b1")) is None


def test_a_failure_has_its_reason(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    bench.start("ncm")
    pruned = bench.log.pruning(EXAMPLES)
    bench.log.append([Message(EXAMPLES, b"other", b"", ())])
    while pruned.delete_oldest(0, 10**6):
        pass
    bench.turn()
    bench.turn()
    assert bench.known().status == "failed"
    assert "retention has removed every event of this range" in bench.known().why


@pytest.mark.parametrize("turns", [0, 1])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_the_next_learner_goes_on_with_it(bench: Bench, turns: int, checkpoint: bool) -> None:
    """As after a restart, a kill, or where another learner takes the partition over."""
    records = history(bench.examples).records
    bench.append(records)
    bench.turn(150)
    if checkpoint:
        bench.learner.checkpoint({0: 0})
    bench.turn()
    bench.workers.may_end = False
    bench.start("ncm")
    for _ in range(turns):
        bench.turn()
    asked = bench.known()
    bench.learner.discard(0)
    assert bench.workers.running == 0
    bench.learner.process(())
    bench.begin()
    for _ in range(2):
        bench.turn(20)
    assert (bench.workers.running, bench.known().status) == (0, "waiting"), "the fold is not where it was"
    bench.workers.may_end = True
    for _ in range(4):
        bench.turn()
    done = bench.known()
    assert (done.status, done.asked_at, done.tries) == ("done", asked.asked_at, 1 + turns)
    result = BacktestResult.model_validate_json(bench.store.get(backtests.result_key("s", "b1")) or b"")
    assert_equal(result, plain(records, "nearest,ncm"))


def test_one_whose_learner_ends_again_and_again_is_given_up(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    bench.workers.may_end = False
    bench.start("ncm")
    for _ in range(3):
        bench.turn()
        bench.turn()
        assert bench.known().status == "running"
        bench.begin()
        bench.turn()
    bench.turn()
    assert (bench.known().status, bench.known().why) == (
        "failed",
        "its learner ended 3 times while it ran; ask for it again",
    )


def test_results_survive_a_restart_and_the_newest_are_kept(bench: Bench) -> None:
    bench.learn(history(bench.examples, count=20).records)
    for number in range(MAX_KEPT + 3):
        bench.run("ncm", id=f"b{number:02}")
    bench.begin()
    bench.turn()
    kept = [f"b{number:02}" for number in range(3, MAX_KEPT + 3)]
    assert [each.id for each in StoredBacktests(bench.store).all("s")] == kept
    assert sorted(bench.store.keys_with_values(backtests.RESULT_PREFIX)) == [
        backtests.result_key("s", id) for id in kept
    ]


def test_a_deleted_stream_takes_its_back_tests_with_it(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    bench.run("ncm")
    bench.workers.may_end = False
    bench.start("ncm", id="b2")
    bench.start("ncm", id="b3")
    bench.start("ncm", id="o1", stream="other")
    bench.turn()
    bench.learn([bench.examples.delete("d1")])
    bench.turn()
    assert StoredBacktests(bench.store).all("s") == []
    assert bench.store.keys_with_values(backtests.RESULT_PREFIX) == []
    assert bench.known("o1", "other").status == "running"


def test_a_store_that_is_away_delays_it_and_costs_nothing(bench: Bench) -> None:
    bench.learn(history(bench.examples).records)
    bench.store.away = True
    with pytest.raises(StoreUnavailable):
        bench.start("ncm", id="b0")
    bench.turn()
    assert not bench.workers.started
    bench.store.away = False
    bench.start("ncm")
    bench.store.away = True
    for _ in range(3):
        bench.turn()
    assert bench.known().status == "waiting"
    bench.store.away = False
    for _ in range(8):
        bench.turn()
    assert bench.known().status == "done"


def test_a_back_test_of_another_version_is_left_alone(bench: Bench) -> None:
    bench.store.put(backtests.key("s", "odd"), json.dumps({"id": "odd"}).encode())
    bench.learn(history(bench.examples).records)
    bench.begin()
    bench.turn()
    bench.run("ncm")
