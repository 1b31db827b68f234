"""Intervals miss in at most 5 % of all streams, whenever one looks; verdicts tell equal models apart in at most 5 %."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from benchmarks.evidence import CHANCES, EQUAL, PAIRS, misses, told_apart_after
from prequel.services.learner.fold.evaluation.intervals import (
    accuracy_interval,
    difference_evidence,
    difference_interval,
)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@pytest.mark.parametrize("kind", CHANCES)
def test_an_interval_misses_at_any_time_in_at_most_one_stream_of_twenty(kind: str) -> None:
    """By chance, more than 9 % of 200 streams would miss once in a hundred runs with a true 5 %."""
    share = misses(CHANCES[kind], streams=200, length=2_000)
    assert share <= 0.09


def test_an_interval_that_was_too_narrow_would_be_noticed() -> None:
    def outside_of_a_usual_one(right: IntArray, scored: IntArray, mean: FloatArray) -> npt.NDArray[np.bool_]:
        spread = 1.96 * np.sqrt((right + 1) * (scored - right + 1) / (scored + 2.0) ** 3)
        return np.asarray(np.abs(right / scored - mean) > spread)

    assert misses(CHANCES["constant"], streams=200, length=2_000, excluded=outside_of_a_usual_one) > 0.2


def test_equal_models_are_told_apart_in_at_most_one_stream_of_twenty() -> None:
    random = np.random.default_rng(0)
    told = [told_apart_after(*EQUAL.draw(random, 5_000)) is not None for _ in range(100)]
    assert sum(told) <= 8


@pytest.mark.parametrize("name", PAIRS)
def test_two_points_at_95_percent_are_found(name: str) -> None:
    random = np.random.default_rng(1)
    found = [told_apart_after(*PAIRS[name].draw(random, 20_000)) for _ in range(10)]
    assert all(after is not None and after < 12_000 for after in found)


counts = st.integers(0, 3_000)


@settings(max_examples=200, deadline=None)
@given(counts, counts, st.sampled_from([0.05, 0.001]))
def test_an_interval_of_the_accuracy_holds_it_and_narrows(right: int, wrong: int, risk: float) -> None:
    scored = right + wrong
    interval = accuracy_interval(right, scored, risk)
    if interval is None:
        assert scored == 0
        return
    low, high = interval
    assert 0 <= low <= right / scored <= high <= 1
    wider = accuracy_interval(right, scored, risk / 10)
    longer = accuracy_interval(4 * right, 4 * scored, risk)
    assert wider is not None
    assert longer is not None
    assert wider[0] <= low <= high <= wider[1]
    assert longer[1] - longer[0] < high - low or scored < 5


@settings(max_examples=200, deadline=None)
@given(counts, counts, counts, st.sampled_from([0.05, 0.001]))
def test_the_interval_of_a_difference_leaves_0_out_where_the_evidence_suffices(
    wins: int, losses: int, others: int, risk: float
) -> None:
    interval = difference_interval(wins, losses, wins + losses + others, risk)
    if interval is None:
        assert wins + losses + others == 0
        return
    low, high = interval
    assert low <= (wins - losses) / (wins + losses + others) <= high
    found = difference_evidence(wins, losses, wins + losses + others, 0.0)
    assert (found >= 1 / risk) == (low > 0 or high < 0) or found == pytest.approx(1 / risk, rel=1e-3)
    mirrored = difference_interval(losses, wins, wins + losses + others, risk)
    assert mirrored == pytest.approx((-high, -low), abs=1e-6)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (12, 3), (200, 150), (2_000, 1_800)])
def test_evidence_is_that_of_a_beta_mixture(wins: int, losses: int) -> None:
    expected = betaln(wins + 2, losses + 2) - betaln(2, 2) + (wins + losses) * np.log(2)
    assert np.log(difference_evidence(wins, losses, 9_999, 0.0)) == pytest.approx(expected, abs=0.05)


def test_overwhelming_evidence_is_no_error() -> None:
    assert difference_evidence(100_000, 0, 100_000, 0.0) > 1e300
    assert difference_interval(100_000, 0, 100_000) == pytest.approx((0.999, 1), abs=1e-3)
