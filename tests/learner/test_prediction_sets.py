"""Prediction sets: they hold the truth as often as promised, and a correction leaves what a right label would have."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from prequel.services.learner.fold.evaluation.label_set import label_set, set_holds
from prequel.services.learner.fold.evaluation.prediction_sets import HIGH, STANDARD, PredictionSets, ServedSet
from prequel.services.learner.fold.evaluation.set_ring import HELD, MISSED, RECENT, RIGHT, SIZE, SetRing
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.services.learner.publishing.gauges import set_stream_gauges
from prequel.services.learner.publishing.stream_status import stream_status
from prequel.shared.config import Settings
from prequel.shared.events.types import Prediction
from prequel.shared.log.base import Position
from prequel.shared.runtime.metrics import Metrics
from tests.learner.building import ExampleLog, new_fold
from tests.learner.test_fold import cut, stored_and_read

Table = npt.NDArray[np.float32]


class Champion:
    """Predictions of ``classes`` classes that are right in about a share ``accuracy``, and know how sure they are."""

    def __init__(self, classes: int, seed: int) -> None:
        self._classes, self._random = classes, np.random.default_rng(seed)

    def draw(self, sharpness: float, honest: float = 1.0) -> tuple[ModelPrediction, int]:
        """A prediction and the truth; where ``honest`` is not 1, the probabilities are too sure or too little so."""
        scores = sharpness * self._random.normal(size=self._classes)
        truth = self._random.choice(self._classes, p=_softmax(scores))
        shares = _softmax(honest * scores).astype(np.float32)
        order = np.argsort(-shares, kind="stable")[:10]
        return ModelPrediction(order.tolist(), shares[order].tolist(), self._classes), int(truth)


def _softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shares = np.exp(scores - scores.max())
    return np.asarray(shares / shares.sum())


def served(draws: Sequence[tuple[ModelPrediction, int]], level: float, delay: int = 0) -> tuple[list[bool], list[int]]:
    """Whether each set held its truth, and the sizes of the sets, where labels come ``delay`` examples late."""
    sets = PredictionSets(level)
    waiting: list[tuple[ServedSet, int]] = []
    held, sizes = [], []
    for sequence, (prediction, truth) in enumerate(draws):
        threshold = sets.threshold()
        held.append(set_holds(prediction, threshold, truth))
        sizes.append(label_set(prediction, threshold).size)
        waiting.append((ServedSet(sequence, prediction, threshold), truth))
        if len(waiting) > delay:
            sets.score(*waiting.pop(0))
            sets.adapt(sequence + 1)
    return held, sizes


@cache
def drawn(classes: int, honest: float) -> Sequence[tuple[ModelPrediction, int]]:
    champion = Champion(classes, seed=1)
    return [champion.draw(1.5, honest) for _ in range(4_000)]


@pytest.mark.parametrize("classes", [2, 10, 30])
@pytest.mark.parametrize("honest", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("level", [0.6, 0.9, 0.99])
def test_sets_hold_the_truth_as_often_as_promised(classes: int, honest: float, level: float) -> None:
    held, _ = served(drawn(classes, honest), level)
    right = np.mean(held[500:])
    assert right >= level - 0.012
    assert level > 0.6 or classes == 2 or right <= level + 0.1


def test_sets_hold_the_truth_again_soon_after_a_change() -> None:
    champion = Champion(10, seed=2)
    draws = [champion.draw(8) for _ in range(3_000)] + [champion.draw(1, honest=8) for _ in range(1_500)]
    held, _ = served(draws, 0.9)
    assert np.mean(held[3_000:3_500]) > 0.85
    assert np.mean(held[3_500:]) > 0.885


@pytest.mark.parametrize("delay", [50, 200])
def test_labels_that_come_late_make_no_swing(delay: int) -> None:
    champion = Champion(10, seed=3)
    draws = [champion.draw(4) for _ in range(2_000)] + [champion.draw(1, honest=4) for _ in range(4_000)]
    held, _ = served(draws, 0.9, delay)
    assert abs(np.mean(held[3_000:]) - 0.9) < 0.02


def test_a_champion_that_is_nearly_always_right_promises_more() -> None:
    champion = Champion(2, seed=4)
    sets = PredictionSets(0)
    for sequence in range(2_000):
        prediction, truth = champion.draw(12)
        sets.score(ServedSet(sequence, prediction, sets.threshold()), truth)
        sets.adapt(sequence + 1)
    assert sets.level == HIGH
    assert 200 <= sets.level_from < 400
    assert sets.recent.scored == SIZE
    assert sets.recent.held / SIZE >= 0.98
    for sequence in range(2_000, 4_000):
        prediction, truth = champion.draw(1)
        sets.score(ServedSet(sequence, prediction, sets.threshold()), truth)
        sets.adapt(sequence + 1)
    assert sets.level == STANDARD
    assert sets.recent.held / sets.recent.scored == pytest.approx(0.9, abs=0.03)


def test_while_few_labels_have_come_every_class_is_in_the_set() -> None:
    champion = Champion(5, seed=5)
    _, sizes = served([champion.draw(6) for _ in range(60)], 0.9)
    assert sizes[:9] == [5] * 9
    assert min(sizes[30:]) < 5


def test_a_set_is_never_empty_and_says_when_more_than_ten_labels_belong_to_it() -> None:
    spread = ModelPrediction(list(range(10)), [0.05] * 10, known=40)
    assert label_set(spread, 0.9) == ([0], 1)
    assert label_set(spread, 0.05) == (list(range(10)), 10)
    assert label_set(spread, 0.01) == (list(range(10)), 40)
    assert set_holds(spread, 0.01, 35)
    assert not set_holds(spread, 0.05, 35)
    assert not set_holds(spread, 0.0, 40), "a class that the model did not know"
    assert label_set(ModelPrediction([], [], 0), float("nan")) == ([], 0)


# Restating.

_label = st.integers(0, 3)
_scored = st.tuples(_label, st.lists(st.integers(1, 9), min_size=3, max_size=3))


def predicted(weights: Sequence[int]) -> ModelPrediction:
    shares = (np.array(weights) / sum(weights)).astype(np.float32)
    order = np.argsort(-shares, kind="stable")
    return ModelPrediction(order.tolist(), shares[order].tolist(), 3)


def contents(sets: PredictionSets) -> tuple[Any, ...]:
    numbers, arrays = sets.parts()
    return numbers, {name: array.tobytes() for name, array in arrays.items()}, sets.recent, sets.ring.recent


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_scored, min_size=1, max_size=60),
    st.integers(0, 700),
    st.lists(st.tuples(st.integers(0, 10**6), st.none() | _label), max_size=20),
    st.sampled_from([0.0, 0.5, 0.9]),
)
def test_a_correction_leaves_what_a_right_label_would_have(
    drawn: list[tuple[int, list[int]]],
    repeats: int,
    corrections: list[tuple[int, int | None]],
    threshold: float,
) -> None:
    examples = [drawn[at % len(drawn)] for at in range(len(drawn) + repeats)]
    at_the_time = [ServedSet(at, predicted(weights), threshold) for at, (_, weights) in enumerate(examples)]
    truths: list[int | None] = [truth for truth, _ in examples]
    corrected = PredictionSets(0.9)
    for set_, (truth, _) in zip(at_the_time, examples, strict=True):
        corrected.score(set_, truth)
    for number, truth_now in corrections:
        index = number % len(examples)
        before = truths[index]
        if before is not None:
            corrected.count(index, at_the_time[index], before, -1)
            truths[index] = truth_now
            if truth_now is not None:
                corrected.count(index, at_the_time[index], truth_now)
    expected = PredictionSets(0.9)
    for set_, right in zip(at_the_time, truths, strict=True):
        if right is None:
            expected.ring.advance()
        else:
            expected.score(set_, right)
    assert contents(corrected) == contents(expected)
    assert corrected.threshold() == expected.threshold()
    again = PredictionSets(0.9)
    again.load(*corrected.parts())
    assert contents(again) == contents(corrected)
    assert again.threshold() == corrected.threshold()


def test_the_ring_counts_its_newest() -> None:
    ring, marks = SetRing(), [MISSED, HELD, RIGHT]
    for index in range(1_234):
        assert ring.advance() == index
        ring.put(index, index / 2_000, marks[index % 3], size=index)
    newest = [marks[index % 3] for index in range(1_234)]
    assert ring.counts == [0, *(newest[-SIZE:].count(mark) for mark in marks)]
    assert ring.recent == [0, *(newest[-RECENT:].count(mark) for mark in marks)]
    assert ring.total_size == sum(range(1_234 - SIZE, 1_234))
    ring.remove(10)
    assert ring.counts[0] == 0, "an index without a slot changes nothing"
    assert ring.total_size == sum(range(1_234 - SIZE, 1_234))
    assert ring.quantile(0.1) == pytest.approx((1_234 - SIZE + 49) / 2_000)


# In the fold.


def history(many: int, **defaults: Any) -> ExampleLog:
    log, random = ExampleLog(), np.random.default_rng(0)
    for number in range(many):
        label = int(random.integers(3))
        x = random.normal(size=3) + 1.5 * np.eye(3)[label]
        log.features(f"i{number}", x.tolist(), "abc"[label] if number % 3 else None)
        if number % 3 == 1 and number > 5:
            log.label(f"i{number - 4}", "abc"[label])
        if number % 50 == 49:
            log.label(f"i{number - 20}", None)
        if defaults and number == many // 2:
            log.defaults(**defaults)
    return log


@pytest.mark.parametrize("defaults", [{}, {"set_level": 0.7}, {"models": "logistic,ncm"}, {"set_level": 0.99}])
@pytest.mark.parametrize("sizes", [[], [1] * 40, [7] * 500])
def test_batches_snapshots_and_settings_change_no_bit(defaults: dict[str, Any], sizes: list[int]) -> None:
    log = history(400, **defaults)
    whole, pieces = new_fold(log, models="ncm,logistic"), new_fold(log, models="ncm,logistic")
    expected = [output.event for output in whole.apply(log.records).outputs]
    actual = []
    for number, records in enumerate(cut(log.records, sizes)):
        actual += [output.event for output in pieces.apply(records).outputs]
        if number % 20 == 7:
            pieces = stored_and_read(pieces)
    assert actual == expected
    assert pieces.digest() == whole.digest()
    stream = whole.streams["s"]
    assert stream.sets.ring.total == stream.scores.total
    assert stream.sets.setting == defaults.get("set_level", 0.0)


def test_the_status_and_the_metrics_speak_of_the_sets_that_the_newest_500_labels_were_served() -> None:
    log = history(900)
    fold = new_fold(log, models="ncm", set_level=0.8)
    served = {e.event.id: e.event for e in fold.apply(log.records).outputs if isinstance(e.event, Prediction)}
    state = fold.streams["s"]
    truths = {id: state.window.find(id) for id in served}
    newest = state.scores.total - SIZE
    known = {id: row for id, row in truths.items() if row and row.score_index >= newest and row.predictions[0].known}
    held = [state.labels[row.label] in served[id].labels for id, row in known.items()]
    whole, registry = stream_status(state, Position(0, 0), now=0, snapshot=None, address=None), CollectorRegistry()
    set_stream_gauges(whole, Metrics(registry))
    status = whole.sets
    assert status is not None
    assert state.scores.total > 600
    assert status.scored == len(held) > 480, "of the newest 500, some were retracted"
    assert status.coverage == np.mean(held)
    assert status.mean_size == np.mean([served[id].set_size for id in known])
    assert status.level == 0.8
    assert abs(np.mean(held) - 0.8) < 0.04
    for name, value in (("coverage", status.coverage), ("size", status.mean_size), ("level", 0.8)):
        assert registry.get_sample_value(f"prequel_set_{name}", {"stream": "s"}) == value
    assert {prediction.set_level for prediction in served.values()} == {0.8}


@pytest.mark.parametrize("level", [0.3, 1.0, -0.1, 90])
def test_a_level_that_promises_nothing_or_everything_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=r"set_level\n.*use a level from 0.5 to 0.999 \(90 % is 0.9\)"):
        Settings.model_validate({"set_level": level})


@pytest.mark.parametrize("labels", [0, 1, 300, SIZE, SIZE + 1])
def test_a_ring_that_is_read_back_goes_on_as_if_nothing_was(labels: int) -> None:
    """A young one is stored without the slots that it has not used."""

    def fill(ring: SetRing, many: int) -> SetRing:
        for index in range(ring.total, ring.total + many):
            ring.put(ring.advance(), float(np.float32(index % 7 / 9)), [MISSED, HELD, RIGHT][index % 3], size=index)
        return ring

    arrays = fill(SetRing(), labels).arrays()
    assert len(arrays["sizes"]) == min(labels, SIZE)
    again, never_stored = fill(SetRing.from_arrays(arrays), 600), fill(SetRing(), labels + 600)
    assert {name: array.tobytes() for name, array in again.arrays().items()} == {
        name: array.tobytes() for name, array in never_stored.arrays().items()
    }
    assert (again.counts, again.recent, again.total_size) == (
        never_stored.counts,
        never_stored.recent,
        never_stored.total_size,
    )
    assert again.quantile(0.1) == never_stored.quantile(0.1)
