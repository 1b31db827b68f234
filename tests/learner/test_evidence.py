"""Comparisons, verdicts and the random sample: what they rest on, and that a correction restates them."""

from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prequel.services.learner.fold.evaluation.comparison import FIRST_EPOCH, Comparison, Epoch
from prequel.services.learner.fold.evaluation.comparisons import Comparisons
from prequel.services.learner.fold.evaluation.intervals import RISK
from prequel.services.learner.fold.evaluation.label_reasons import MAX_WORDS, LabelReasons, RandomSample
from prequel.services.learner.fold.evaluation.verdicts import BETTER, OPEN, SILENT, WORSE, verdict
from prequel.services.learner.fold.join.new_example import UNSCORED
from prequel.services.learner.fold.predictions import NOT_SCORED
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.publishing.stream_status import stream_status
from prequel.shared.log.base import Position
from prequel.shared.status import StreamStatus
from tests.learner.building import ExampleLog, new_fold

CLASSES = st.integers(0, 2)


def compared(examples: int, *, champion: int = 10, challenger: int = 10, start: int = 0) -> Comparison:
    """Each is wrong once in so many examples; never both."""
    comparison = Comparison(start)
    for index in range(start, start + examples):
        comparison.score(index, champion=index % champion != 0, challenger=index % challenger != 1)
    return comparison


# Epochs.


@pytest.mark.parametrize(
    ("examples", "since"), [(0, 0), (999, 0), (1_000, 0), (1_001, 500), (2_001, 1_000), (4_000, 1_000), (9_000, 4_000)]
)
def test_a_comparison_is_over_the_newest_half_to_three_quarters(examples: int, since: int) -> None:
    comparison = compared(examples)
    assert (comparison.since, comparison.counts.scored) == (since, examples - since)


def test_a_drift_restarts_it() -> None:
    comparison = compared(3_000)
    comparison.restart(3_000)
    assert comparison.counts == Epoch(3_000)
    comparison.score(3_000 + 2 * FIRST_EPOCH, champion=True, challenger=True)
    assert comparison.since == 3_000 + FIRST_EPOCH


def test_all_beginnings_together_are_wrong_in_at_most_one_stream_of_twenty() -> None:
    comparison, risks = compared(0), []
    for index in range(0, 200_000, 100):
        risks.append(comparison.risk)
        comparison.score(index, champion=True, challenger=True)
        if index % 7_000 == 0:
            comparison.restart(index + 1)
    assert 0.9 * RISK < sum(set(risks)) <= RISK


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(CLASSES, st.lists(st.sampled_from([0, 1, 2, -1, NOT_SCORED]), min_size=3, max_size=3))),
    st.lists(st.tuples(st.integers(0, 200), st.one_of(st.none(), CLASSES))),
    st.integers(1, 300),
    st.integers(0, 100),
)
def test_a_restated_comparison_equals_one_that_was_never_wrong(
    labels: list[tuple[int, list[int]]], corrections: list[tuple[int, int | None]], stride: int, unmixed: int
) -> None:
    def scored(truths: Sequence[int | None]) -> Comparisons:
        comparisons = Comparisons(challengers=2)
        for number, (truth, (_, predicted)) in enumerate(zip(truths, labels, strict=True)):
            # An example that was retracted was scored once: time has passed.
            comparisons.score(stride * number, truth or 0, predicted, mixed=number % 101 != unmixed)
            if truth is None:
                comparisons.count(stride * number, 0, predicted, -1)
        return comparisons

    truths: list[int | None] = [truth for truth, _ in labels]
    restated = scored(truths)
    for at, truth in corrections:
        number = at % len(labels) if labels else 0
        if not labels or truths[number] is None:
            continue
        predicted = labels[number][1]
        restated.count(stride * number, truths[number] or 0, predicted, -1)
        if truth is not None:
            restated.count(stride * number, truth, predicted, 1)
        truths[number] = truth
    assert restated.rows() == scored(truths).rows()
    assert Comparisons.from_rows(orjson.loads(orjson.dumps(restated.rows()))).rows() == restated.rows()


def test_nothing_is_counted_while_labels_come_class_after_class() -> None:
    comparisons = Comparisons(challengers=1)
    for index in range(300):
        comparisons.score(index, 0, [0, 1], mixed=index < 100 or index >= 250)
    assert comparisons.comparisons[0].counts == Epoch(251, scored=49, losses=49)
    comparisons.count(120, 0, [0, 1], -1)
    comparisons.count(99, 0, [0, 1], -1)
    assert comparisons.comparisons[0].counts == Epoch(251, scored=49, losses=49), "it is over those since then"


def test_a_pair_that_stays_goes_on_when_the_models_change() -> None:
    comparisons = Comparisons(challengers=2)
    for index in range(100):
        comparisons.score(index, 0, [0, 1, -1], mixed=True)
    comparisons.score(100, 0, [1, 0, -1], mixed=True)
    comparisons.change_models([0, 2, None], start=101)
    assert [each.counts for each in comparisons.comparisons] == [Epoch(0, scored=101, losses=100), Epoch(101)]
    comparisons.change_models([1, 0], start=101)
    assert comparisons.comparisons[0].counts == Epoch(0, scored=101, wins=100), "the challenger was promoted"


# Verdicts.


@pytest.mark.parametrize(
    ("comparison", "kind", "text"),
    [
        (compared(0), OPEN, "There are no scored labels yet to compare logistic with slda by."),
        (
            compared(400),
            OPEN,
            "logistic and slda cannot be told apart on the newest 400 labels: 90.0 % against 90.0 %.",
        ),
        (
            compared(3_500, challenger=50),
            BETTER,
            "logistic has been better than slda on the newest 2,500 labels: 98.0 % against 90.0 %.",
        ),
        (
            compared(400, challenger=3),
            WORSE,
            "logistic has been worse than slda on the newest 400 labels: 66.8 % against 90.0 %.",
        ),
    ],
)
def test_a_verdict_is_a_sentence(comparison: Comparison, kind: str, text: str) -> None:
    actual = verdict(comparison, "slda", "logistic", mixed=True)
    assert (actual.kind, actual.text) == (kind, text)
    silent = verdict(comparison, "slda", "logistic", mixed=False)
    assert (silent.kind, silent.counts) == (SILENT, actual.counts)
    assert silent.text == "logistic is not compared with slda while labels come class after class."


def test_a_model_that_has_been_overtaken_is_found_worse() -> None:
    """Ahead by 1,000 examples of 1,000, and since then behind by one in 20."""
    comparison, last = Comparison(0), ""
    for index in range(16_000):
        comparison.score(index, champion=index >= 1_000, challenger=index < 1_000 or index % 20 != 0)
        if index in (900, 15_999):
            last, before = verdict(comparison, "a", "b", mixed=True).kind, last
    assert (before, last) == (BETTER, WORSE)


# Why examples were labelled.


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["random", "uncertain", "", "w1"]), CLASSES, CLASSES)),
    st.lists(st.tuples(st.integers(0, 200), st.one_of(st.none(), CLASSES))),
)
def test_a_restated_sample_equals_one_that_was_never_wrong(
    labels: list[tuple[str, int, int]], corrections: list[tuple[int, int | None]]
) -> None:
    def counted(truths: Sequence[int | None]) -> LabelReasons:
        reasons = LabelReasons(models=1)
        for truth, (why, _, predicted) in zip(truths, labels, strict=True):
            number = reasons.number(why)
            if truth is not None:
                reasons.count(number, 1)
                reasons.score(number, truth, [predicted])
        return reasons

    truths: list[int | None] = [truth for _, truth, _ in labels]
    restated = counted(truths)
    for at, truth in corrections:
        number = at % len(labels) if labels else 0
        if not labels or truths[number] is None:
            continue
        why, _, predicted = labels[number]
        restated.score(restated.number(why), truths[number] or 0, [predicted], -1)
        if truth is not None:
            restated.score(restated.number(why), truth, [predicted])
        else:
            restated.count(restated.number(why), -1)
        truths[number] = truth
    assert restated.rows() == counted(truths).rows()
    assert LabelReasons.from_rows(orjson.loads(orjson.dumps(restated.rows()))).rows() == restated.rows()


def test_a_reason_for_each_image_does_not_fill_the_state() -> None:
    reasons = LabelReasons(models=1)
    for number in range(1_000):
        reasons.count(reasons.number(f"word-{number}"), 1)
    assert len(reasons.counts()) < MAX_WORDS
    assert reasons.counts()["other"] > 900


# In the fold.


def status_of(examples: ExampleLog, models: str = "nearest,logistic") -> StreamStatus:
    fold = new_fold(examples, models=models)
    fold.apply(examples.records)
    return stream_status(fold.streams["s"], Position(0, 0), now=0, snapshot=None, address=None)


def test_the_status_has_an_interval_around_each_accuracy() -> None:
    examples = ExampleLog()
    for number in range(60):
        examples.features(f"i{number}", [number % 3, 1, 0], "abc"[number % 3])
    for model in status_of(examples).models.values():
        assert model.interval is not None
        assert model.accuracy is not None
        assert 0 < model.interval[0] < model.accuracy < model.interval[1] <= 1


def test_the_random_sample_is_of_the_labels_that_say_so() -> None:
    examples = ExampleLog()
    for number in range(40):
        examples.features(f"i{number}", [number % 2, 1, 0], "ab"[number % 2] if number < 20 else None)
    for number in range(20, 30):
        examples.label(f"i{number}", "ab"[number % 2], why="random")
    for number in range(30, 36):
        examples.label(f"i{number}", "ba"[number % 2], why="uncertain")
    examples.label("early", "a", why="random")
    examples.features("early", [0, 1, 0])
    examples.label("i36", "a")
    actual = status_of(examples)
    assert actual.label_reasons == {"producer": 20, "random": 11, "uncertain": 6, "unknown": 1}
    assert actual.random_sample is not None
    assert (actual.random_sample.labelled, actual.random_sample.accuracy) == (11, 1.0)
    # Corrected, the first reason stays; retracted, and given again, another one counts.
    examples.label("i20", "b", why="correction")
    examples.label("i21", None)
    examples.label("i22", None)
    examples.label("i22", "a", why="uncertain")
    actual = status_of(examples)
    assert actual.label_reasons == {"producer": 20, "random": 9, "uncertain": 7, "unknown": 1}
    assert actual.random_sample is not None
    assert actual.random_sample.labelled == 9
    assert actual.random_sample.accuracy == pytest.approx(8 / 9)


def test_without_a_random_label_there_is_no_sample() -> None:
    examples = ExampleLog()
    examples.features("i", [1, 1, 0], "a")
    assert status_of(examples).random_sample is None


def test_verdicts_are_on_the_newest_labels_and_silent_in_class_order() -> None:
    examples = ExampleLog()
    for number in range(600):
        examples.features(f"i{number}", [number % 2, number % 7, 0], "ab"[number % 2])
    [(challenger, actual)] = status_of(examples).verdicts.items()
    assert (challenger, actual.scored, actual.since) == ("logistic", 599, 0)
    assert actual.wins - actual.losses == pytest.approx((actual.difference or 0) * 599)
    for number in range(600, 640):
        examples.features(f"i{number}", [0, number % 7, 0], "a")
    assert status_of(examples).verdicts["logistic"].verdict == SILENT


def test_a_promoted_challenger_keeps_its_comparison_and_a_new_model_begins_one() -> None:
    examples = ExampleLog()
    for number in range(200):
        examples.features(f"i{number}", [number % 2, number % 7, 0], "ab"[number % 2])
    examples.label("i7", "b", why="random")
    fold = new_fold(examples, models="nearest,logistic")
    fold.apply(examples.records)
    before = fold.streams["s"].comparisons.comparisons[0].counts
    fold.apply([examples.defaults(models="logistic,nearest,ncm", started=2.0)])
    promoted, new = [comparison.counts for comparison in fold.streams["s"].comparisons.comparisons]
    assert promoted == Epoch(0, before.scored, before.both, before.losses, before.wins)
    assert new == Epoch(fold.streams["s"].scores.total)
    fold.apply([examples.features(f"j{number}", [number % 2, number % 7, 0], "ab"[number % 2]) for number in range(60)])
    assert [comparison.counts.scored for comparison in fold.streams["s"].comparisons.comparisons] == [259, 60]


def test_a_model_that_was_added_has_the_random_sample_of_its_replay() -> None:
    examples = ExampleLog()
    for number in range(40):
        examples.features(f"i{number}", [number % 2, 1, 0], "ab"[number % 2] if number < 20 else None)
    for number in range(20, 30):
        examples.label(f"i{number}", "ab"[number % 2], why="random")
    fold = new_fold(examples, models="nearest")
    fold.apply(examples.records)
    fold.apply([examples.defaults(models="nearest,ncm", started=2.0)])
    assert fold.streams["s"].label_reasons.samples == [(10, 10), (10, 10)]
    assert fold.streams["s"].label_reasons.counts() == {"producer": 20, "random": 10}


def recounted(stream: StreamState) -> tuple[Epoch, RandomSample]:
    """The comparison and the champion's random sample, counted from the examples of the window."""
    comparison, sample = Epoch(0), RandomSample(0, 0)
    for id, _, label in stream.window.rows():
        example = stream.window.find(id)
        assert example is not None
        if example.score_index == UNSCORED:
            continue
        champion, challenger = (prediction.top_class == label for prediction in example.predictions)
        comparison.count(champion, challenger, 1)
        if example.why == stream.label_reasons.number("random"):
            sample = RandomSample(sample.scored + 1, sample.right + champion)
    return comparison, sample


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["a", "b", "c", None]), st.sampled_from(["", "random"]))))
def test_after_any_corrections_the_evidence_is_what_the_window_says(
    labels: list[tuple[int, str | None, str]],
) -> None:
    examples = ExampleLog()
    for number in range(60):
        examples.features(f"i{number}", [number % 3, number % 5, 0], "abc"[number % 3] if number < 30 else None)
    for number, label, why in labels:
        examples.label(f"i{number}", label, why=why)
    fold = new_fold(examples)
    fold.apply(examples.records)
    stream = fold.streams["s"]
    assert stream.label_order.mixed
    assert (stream.comparisons.comparisons[0].counts, stream.label_reasons.samples[0]) == recounted(stream)
    assert sum(stream.label_reasons.counts().values()) == stream.labelled
