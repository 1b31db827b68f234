"""Calibration: what is served is as sure as it is right, follows from counts, and is restated by corrections."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from prequel.services.learner.fold.calibration.calibrator import Calibrator
from prequel.services.learner.fold.calibration.ranking import Ranking, own_predictions, ranking
from prequel.services.learner.fold.calibration.reliability import calibration_error, reliability_curve
from prequel.services.learner.fold.drift.reactions import reaction
from prequel.services.learner.fold.predictions import TOP, ModelPrediction
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.kernels.calibration import (
    DOUBT_BLOCK,
    DOUBT_BLOCKS,
    FIT_BLOCK,
    FIT_BLOCKS,
    RELIABILITY_BLOCK,
    RELIABILITY_BLOCKS,
)
from tests.learner.building import ExampleLog, new_fold


class Scored(NamedTuple):
    """One prediction and its label; ``right_label`` is what a correction says, None where it retracts."""

    predicted: np.ndarray[Any, np.dtype[np.float64]]
    label: int
    right_label: int | None
    place: int
    mixed: bool


@st.composite
def scored(draw: st.DrawFn) -> list[Scored]:
    """Predictions of 1 to 14 classes at growing indices, with gaps as long as all that is remembered."""
    gaps = st.sampled_from([1, 1, 1, FIT_BLOCK, FIT_BLOCK * FIT_BLOCKS, RELIABILITY_BLOCK * RELIABILITY_BLOCKS])
    index, rows = 0, []
    for seed in draw(st.lists(st.integers(0, 10_000), min_size=1, max_size=30)):
        random = np.random.default_rng(seed)
        classes = int(random.integers(1, 15))
        predicted = random.dirichlet(np.full(classes, 0.3))
        right_label = None if seed % 5 == 0 else int(random.integers(classes + 1))
        rows.append(Scored(predicted, int(random.integers(classes + 1)), right_label, index, bool(seed % 3)))
        index += draw(gaps)
    return rows


def arrays(calibrator: Calibrator) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in calibrator.arrays().items()}


def own(row: Scored) -> ModelPrediction:
    return own_predictions([row.predicted], range(len(row.predicted)))[0]


@settings(max_examples=200, deadline=None)
@given(scored(), st.data())
def test_a_corrected_label_counts_as_if_it_had_been_right_from_the_start(
    rows: list[Scored], data: st.DataObject
) -> None:
    corrected, clean = Calibrator(active=True), Calibrator(active=True)
    predictions = []
    for row in rows:
        predictions.append(corrected.calibrate(own(row)))
        corrected.count(predictions[-1], row.label, row.place, mixed=row.mixed)
    again = [
        (row, prediction) for row, prediction in zip(rows, predictions, strict=True) if row.right_label is not None
    ]
    for row, prediction in data.draw(st.permutations(again)):
        corrected.count(prediction, row.label, row.place, mixed=row.mixed, sign=-1)
        corrected.count(prediction, row.right_label or 0, row.place, mixed=row.mixed)
    for row, prediction in zip(rows, predictions, strict=True):
        label = row.label if row.right_label is None else row.right_label
        clean.count(prediction, label, row.place, mixed=row.mixed)
    assert arrays(corrected) == arrays(clean)


@settings(max_examples=100, deadline=None)
@given(scored())
def test_all_labels_retracted_leave_counts_of_nothing(rows: list[Scored]) -> None:
    calibrator = Calibrator(active=True)
    predictions = [calibrator.calibrate(own(row)) for row in rows]
    for sign in (1, -1):
        for row, prediction in zip(rows, predictions, strict=True):
            calibrator.count(prediction, row.label, row.place, mixed=row.mixed, sign=sign)
    assert not calibrator.arrays()["fit"].any()
    assert calibration_error(calibrator.reliability) is None
    assert reliability_curve(calibrator.reliability) == []


@settings(max_examples=200, deadline=None)
@given(scored(), st.booleans(), st.data())
def test_a_run_is_its_predictions_one_by_one(rows: list[Scored], active: bool, data: st.DataObject) -> None:
    singly, together = Calibrator(active=active), Calibrator(active=active)
    expected = []
    for row in rows:
        expected.append(singly.calibrate(own(row)))
        singly.count(expected[-1], row.label, row.place, mixed=row.mixed)
    served, begin = [], 0
    for end in [*sorted(data.draw(st.sets(st.integers(1, len(rows)))) - {len(rows)}), len(rows)]:
        served += run(together, rows[begin:end])
        begin = end
    assert list(map(everything, served)) == list(map(everything, expected))
    assert arrays(singly) == arrays(together)


def everything(prediction: ModelPrediction) -> tuple[Any, ...]:
    return (*prediction[:3], prediction.own.tobytes(), prediction.calibration.tobytes())


def run(calibrator: Calibrator, rows: Sequence[Scored]) -> list[ModelPrediction]:
    known = max(len(row.predicted) for row in rows)
    ranked = ranking([row.predicted for row in rows], range(known))
    columns = [np.array([row[at] for row in rows], np.int64) for at in (1, 3, 4)]
    return calibrator.calibrate_run(ranked, *columns).predictions()


@settings(max_examples=200, deadline=None)
@given(scored())
def test_what_is_served_keeps_the_order_and_sums_to_one(rows: list[Scored]) -> None:
    calibrator = Calibrator(active=True)
    for row in rows:
        prediction, before = calibrator.calibrate(own(row)), own(row)
        assert prediction.classes == before.classes
        assert prediction.own.tolist() == before.probabilities
        assert prediction.probabilities == sorted(prediction.probabilities, reverse=True)
        assert all(0 <= share <= 1.000001 for share in prediction.probabilities)
        whole = sum(prediction.probability(label) for label in range(len(row.predicted)))
        assert whole == pytest.approx(1, abs=1e-5)
        calibrator.count(prediction, row.label, row.place, mixed=row.mixed)


def test_equal_probabilities_stay_equal_and_name_the_class_learned_first() -> None:
    calibrator = Calibrator(active=True)
    for index in range(200):
        (prediction,) = own_predictions([np.array([0.2, 0.4, 0.4])], range(3))
        served = calibrator.calibrate(prediction)
        calibrator.count(served, index % 3, index, mixed=True)
    assert served.classes == [1, 2, 0]
    assert served.probabilities[1] > served.probabilities[2]


def test_a_constant_confidence_becomes_the_accuracy() -> None:
    random, calibrator = np.random.default_rng(3), Calibrator(active=True)
    sure = ModelPrediction([0, 1, 2], [1.0, 0.0, 0.0], known=3)
    for index in range(2_000):
        served = calibrator.calibrate(sure)
        calibrator.count(served, int(random.random() > 0.7), index, mixed=True)
    assert served.probabilities[0] == pytest.approx(0.7, abs=0.05)
    assert calibration_error(calibrator.reliability) < 0.05  # type: ignore[operator]


def test_a_model_that_is_not_sure_enough_becomes_surer() -> None:
    random, calibrator = np.random.default_rng(3), Calibrator(active=True)
    for index in range(1_000):
        truth = int(random.integers(10))
        scores = 0.3 * (np.arange(10) == truth) + random.normal(0, 0.05, 10)
        (prediction,) = own_predictions([np.exp(scores) / np.exp(scores).sum()], range(10))
        served = calibrator.calibrate(prediction)
        calibrator.count(served, truth, index, mixed=True)
    assert prediction.probabilities[0] < 0.2
    assert served.probabilities[0] > 0.9


@pytest.mark.parametrize("sharpen", [False, True])
def test_a_model_that_is_least_right_where_it_is_surest_is_mended_too(sharpen: bool) -> None:
    """No power of probabilities and no share in common does that: each bin of confidence has a share of its own."""
    random, calibrator = np.random.default_rng(7), Calibrator(active=True, sharpen=sharpen)
    sure, unsure = ModelPrediction([0, 1], [0.95, 0.05], known=2), ModelPrediction([0, 1], [0.65, 0.35], known=2)
    for index in range(2_000):
        said, accuracy = ((sure, 0.7), (unsure, 0.9))[index % 2]
        calibrator.count(calibrator.calibrate(said), int(random.random() > accuracy), index, mixed=True)
    assert calibrator.calibrate(sure).probabilities[0] == pytest.approx(0.7, abs=0.05)
    assert calibrator.calibrate(unsure).probabilities[0] == pytest.approx(0.9, abs=0.05)


def test_a_sharpness_that_a_model_finds_by_itself_is_left_alone() -> None:
    calibrator = Calibrator(active=True, sharpen=False)
    sure = ModelPrediction([0, 1, 2], [0.8, 0.15, 0.05], known=3)
    for index in range(900):
        served = calibrator.calibrate(sure)
        calibrator.count(served, int(index % 3 == 0), index, mixed=True)
    assert served.calibration[0] == 1
    assert served.probabilities[0] == pytest.approx(2 / 3, abs=0.02)


def test_labels_that_come_class_after_class_do_not_make_a_model_surer() -> None:
    calibrator = Calibrator(active=True)
    sure = ModelPrediction([0, 1], [0.9, 0.1], known=2)
    for index in range(1_000):
        calibrator.count(calibrator.calibrate(sure), 0, index, mixed=False)
    served = calibrator.calibrate(sure)
    assert served.calibration.tolist() == pytest.approx([1.0, 1 / 1_002, 0.0, 0.0, 0.0])
    assert calibrator.reliability[1].sum() == 1_000


@pytest.mark.parametrize("mixed", [False, True])
def test_a_model_that_is_worse_than_chance_is_not_believed_whatever_the_order(mixed: bool) -> None:
    calibrator = Calibrator(active=True, sharpen=False)
    wrong = ModelPrediction([0, 1, 2], [0.98, 0.01, 0.01], known=3)
    losses = []
    for index in range(100):
        served = calibrator.calibrate(wrong)
        losses.append(-np.log(served.probability(2)))
        calibrator.count(served, 2, index, mixed=mixed)
    assert np.mean(losses) < 1.1 * np.log(3)
    right = 100 + DOUBT_BLOCK * DOUBT_BLOCKS
    for index in range(100, right):
        calibrator.count(calibrator.calibrate(wrong), 0, index, mixed=False)
    assert calibrator.calibrate(wrong).calibration[4] < 0.05  # as before any label: the newest speak for it


def test_of_a_thousand_classes_those_that_are_not_stored_share_the_rest() -> None:
    random, calibrator = np.random.default_rng(5), Calibrator(active=True)
    for index in range(600):
        predicted = random.dirichlet(np.full(1_000, 0.05))
        (prediction,) = own_predictions([predicted], range(1_000))
        served = calibrator.calibrate(prediction)
        calibrator.count(served, int(random.choice(1_000, p=predicted)), index, mixed=True)
    assert len(served.classes) == TOP
    rest = (1 - sum(served.probabilities)) / 990
    assert served.probability(next(label for label in range(1_000) if label not in served.classes)) == rest > 0


# In the fold.


@cache
def digits(models: str, *, sort: bool = False) -> StreamState:
    """scikit-learn's digits, shuffled or class after class, as a stream."""
    xs, labels = load_digits(return_X_y=True)
    order = np.argsort(labels, kind="stable") if sort else np.random.default_rng(0).permutation(len(labels))
    log = ExampleLog()
    for number, at in enumerate(order.tolist()):
        log.features(f"i{number}", (xs[at] / 16).tolist(), str(labels[at]))
    fold = new_fold(log, models=models)
    fold.apply(log.records)
    return fold.streams["s"]


CALIBRATED = "logistic,naive-bayes,softmax,knn,ncm,perceptron,passive-aggressive,slda,ridge"
UNCALIBRATED = ",".join(f"{spec};calibrate=off" for spec in CALIBRATED.split(","))


def later_errors(state: StreamState) -> dict[str, float]:
    """By model, over the scores from the 512th on."""
    counts = [calibrator.arrays()["reliability"][1:].sum(axis=0) for calibrator in state.calibrators]
    return {spec: calibration_error(own) or 0.0 for spec, own in zip(state.config.models, counts, strict=True)}


def test_every_model_is_calibrated_on_digits() -> None:
    errors, raw = later_errors(digits(CALIBRATED)), later_errors(digits(UNCALIBRATED))
    assert max(errors.values()) < 0.03
    assert raw["logistic;calibrate=off"] > 0.4
    assert raw["naive-bayes;calibrate=off"] > 0.4


def test_what_is_calibrated_is_the_probability_and_not_the_answer() -> None:
    calibrated, raw = digits(CALIBRATED).scores, digits(UNCALIBRATED).scores
    for number in range(len(calibrated.tallies)):
        assert calibrated.tallies[number].confusion == raw.tallies[number].confusion
        # slda measures its own certainty: what 512 labels say of it on top costs it a tenth
        assert calibrated.tallies[number].loss < 1.15 * raw.tallies[number].loss


def test_class_after_class_the_log_loss_stays_sane() -> None:
    state = digits("naive-bayes,logistic", sort=True)
    raw = digits("naive-bayes;calibrate=off,logistic;calibrate=off", sort=True)
    assert state.scores.log_loss(0) < 0.3 * raw.scores.log_loss(0)  # type: ignore[operator]
    assert state.scores.log_loss(1) < 1.05 * raw.scores.log_loss(1)  # type: ignore[operator]


def test_twelve_of_each_class_one_after_the_other_cost_no_more_than_chance() -> None:
    """Log loss over the first 100, against even probabilities of the classes known so far: hard features, wide ones."""
    random, log, chance = np.random.default_rng(4), ExampleLog(), 0.0
    means = random.normal(0, 0.2, (9, 200))
    for number in range(100):
        log.features(f"i{number}", (means[number // 12] + random.normal(size=200)).tolist(), str(number // 12))
        chance += np.log(1 + number // 12) if number % 12 else 0.0
    specs = "slda,mix,ridge,ncm,naive-bayes,knn,logistic,softmax"
    fold = new_fold(log, models=specs)
    fold.apply(log.records)
    scores = fold.streams["s"].scores
    ratios = {spec: scores.log_loss(number) * scores.total / chance for number, spec in enumerate(specs.split(","))}  # type: ignore[operator]
    assert max(ratios.values()) < 1.1, ratios


@pytest.mark.parametrize(
    ("spec", "sharpened"),
    [
        ("slda;decay=0.01", False),
        ("l2|ncm", False),
        ("logistic", True),
        ("mix(slda, ncm)", False),
        ("mix(slda, softmax)", True),
        ("river:naive_bayes.GaussianNB", True),
    ],
)
def test_the_fold_finds_the_sharpness_of_models_that_do_not(spec: str, sharpened: bool) -> None:
    assert reaction(spec).sharpened is sharpened


def test_corrections_restate_the_calibration_of_the_fold() -> None:
    def streamed(first: str) -> StreamState:
        log = ExampleLog()
        for number in range(60):
            log.features(f"i{number}", [number % 3, number % 2, 1.0], "abc"[number % 3] if number < 20 else None)
        for number in range(20, 60):
            log.label(f"i{number}", first if number % 4 == 0 else "abc"[number % 3])
        for number in range(20, 60, 4):
            log.label(f"i{number}", "abc"[number % 3])
        fold = new_fold(log, models="nearest,ncm")
        fold.apply(log.records)
        return fold.streams["s"]

    corrected, clean = streamed("a"), streamed("b")
    assert [arrays(calibrator) for calibrator in corrected.calibrators] == [
        arrays(calibrator) for calibrator in clean.calibrators
    ]


def test_a_model_that_drift_resets_begins_to_be_calibrated_again() -> None:
    log = ExampleLog()
    for number in range(700):
        log.features(f"i{number}", [number % 2, 1.0, 0.0], "ab"[(number + (number > 400)) % 2])
    fold = new_fold(log, models="nearest;drift=reset,nearest")
    fold.apply(log.records)
    resets, kept = fold.streams["s"].calibrators
    assert fold.streams["s"].reset_at[0] > 400
    assert resets.reliability[0].sum() < 300 < kept.reliability[0].sum()


def test_rankings_of_examples_with_growing_classes_are_padded() -> None:
    ranked = ranking([np.zeros(0), np.array([1.0]), np.array([0.25, 0.75])], [4, 7])
    assert isinstance(ranked, Ranking)
    assert ranked.classes.tolist() == [[-1, -1], [4, -1], [7, 4]]
    assert ranked.raw.tolist() == [[0, 0], [1, 0], [0.75, 0.25]]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0.0, 0.25, 0.5, np.nan, np.inf, 1e-300]), max_size=14), min_size=1))
def test_a_ranking_is_a_stable_sort_where_what_is_no_number_is_zero(predicted: list[list[float]]) -> None:
    numbers = [100 - number for number in range(14)]
    ranked = ranking([np.array(row) for row in predicted], numbers)
    for at, row in enumerate(predicted):
        finite = [value if np.isfinite(value) else 0.0 for value in row]
        order = sorted(range(len(row)), key=lambda column: -finite[column])[:TOP]
        assert ranked.classes[at, : len(order)].tolist() == [numbers[column] for column in order]
        assert ranked.raw[at, : len(order)].tolist() == [np.float32(finite[column]) for column in order]
        assert ranked.known[at] == len(row)
