"""The drift detectors find what River's find, at the same values, and go on from their numbers as if nothing was."""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift

from prequel.services.learner.fold.drift.adwin import Adwin
from prequel.services.learner.fold.drift.error_drift import ErrorDrift
from prequel.services.learner.fold.drift.page_hinkley import PageHinkley


def changing(seed: int, lengths: list[int]) -> list[float]:
    """Zeros and ones whose share changes from piece to piece."""
    random = np.random.default_rng(seed)
    shares = random.random(len(lengths))
    return [float(random.random() < share) for share, many in zip(shares, lengths, strict=True) for _ in range(many)]


def found_by(update: Callable[[float], bool], values: list[float]) -> list[int]:
    return [at for at, value in enumerate(values) if update(value)]


def rivers(detector: Any, values: list[float]) -> list[int]:
    actual = []
    for at, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            actual.append(at)
    return actual


def _river(name: str) -> Any:
    return getattr(drift, name)()


class Restarting:
    """River starts again after a detection; so must whoever uses these detectors."""

    def __init__(self) -> None:
        self._adwin = Adwin()

    def update(self, value: float) -> bool:
        actual = self._adwin.update(value)
        if actual:
            self._adwin = Adwin()
        return actual


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_adwin_equals_rivers(seed: int, lengths: list[int]) -> None:
    values = changing(seed, lengths)
    assert found_by(Restarting().update, values) == rivers(_river("ADWIN"), values)


def test_rounding_that_leaves_a_variance_below_zero_is_no_error_and_no_drift() -> None:
    drift = ErrorDrift()
    assert not any(drift.update(at < 80 and at * 9 % 10 < 9) for at in range(2_000))
    assert drift.update(True) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_page_hinkley_equals_rivers(seed: int, lengths: list[int]) -> None:
    values = changing(seed, lengths)
    assert found_by(PageHinkley().update, values) == rivers(_river("PageHinkley"), values)


def test_both_detectors_find_changes_in_the_drawn_values() -> None:
    values = [0.0] * 500 + [1.0] * 500
    assert found_by(Restarting().update, values)
    assert found_by(PageHinkley().update, values)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_the_first_rise_is_no_later_than_the_one_that_rivers_adwin_finds(seed: int, lengths: list[int]) -> None:
    values, adwin, rises = changing(seed, lengths), _river("ADWIN"), []
    for at, value in enumerate(values):
        before = adwin.estimation
        adwin.update(value)
        if adwin.drift_detected and adwin.estimation > before:
            rises.append(at)
    drift = ErrorDrift()
    actual = [(at, name) for at, value in enumerate(values) if (name := drift.update(bool(value)))]
    if rises:
        assert actual[0][0] <= rises[0]
    if actual and actual[0][1] == "adwin":
        assert actual[0][0] == rises[0]


def test_after_falls_a_rise_is_found_where_river_finds_it() -> None:
    random = np.random.default_rng(0)
    errors = [random.random() < share for share in (0.5, 0.1, 0.25) for _ in range(1_500)]
    adwin, drift = _river("ADWIN"), ErrorDrift()
    rises = [at for at, wrong in enumerate(errors) if adwin.update(float(wrong)) or adwin.drift_detected]
    assert next(at for at, wrong in enumerate(errors) if drift.update(bool(wrong))) in rises
    assert min(rises) < 3_000, "there was no fall before the rise"


@pytest.mark.parametrize("at", [0, 1, 40, 700])
def test_a_detector_restored_from_its_numbers_continues_exactly(at: int) -> None:
    values = [0.0] * 400 + changing(3, [400]) + [1.0] * 400
    whole, first = ErrorDrift(), ErrorDrift()
    expected = [whole.update(bool(value)) for value in values]
    actual = [first.update(bool(value)) for value in values[:at]]
    again = ErrorDrift.from_numbers(orjson.loads(orjson.dumps(first.numbers())))
    actual += [again.update(bool(value)) for value in values[at:]]
    assert actual == expected
    assert again.numbers() == whole.numbers()
    assert any(expected)


def test_a_rising_error_is_a_drift_and_a_falling_one_is_not() -> None:
    rising, falling = ErrorDrift(), ErrorDrift()
    assert any(rising.update(at >= 400) for at in range(800))
    assert not any(falling.update(at < 400) for at in range(800))
