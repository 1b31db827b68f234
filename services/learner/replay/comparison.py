"""Compares two folds of one log on different kinds of machine: all but the rounding must be equal."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.stream_numbers import stream_numbers
from prequel.services.learner.models.base import Model

TOLERANCE = 1e-4
"""Largest difference between the arrays of two models, relative to the largest value of the array: BLAS and compiled
kernels differ by some 1e-7 a step, long sums by some 1e-5. Arrays that differ by more have learned something else."""
FLIPPED_SHARE, MIN_FLIPPED = 0.001, 3
"""Predictions that may differ: a share of all, but at least so many. Rounding decides between equal probabilities."""

EQUAL_WITHIN_TOLERANCE = (
    f"not bit-equal, but equal: counts, classes, ids, labels and positions exactly, models within {TOLERANCE:g} of "
    f"their largest values, predictions but for {FLIPPED_SHARE:.1%}"
)

_EXACT = ("config", "seed", "backbone", "dim", "labels", "counts", "statuses")
"""Keys of ``stream_numbers`` that follow from the events alone, whatever the models predict."""


def compare(here: Fold, there: Fold) -> str:
    """What differs by more than rounding, in words; empty where nothing does."""
    if here.streams.keys() != there.streams.keys():
        return f"streams {sorted(here.streams)} here, {sorted(there.streams)} there"
    for name, stream in here.streams.items():
        other = there.streams[name]
        if difference := _compare_exactly(stream, other) or _compare_models(stream, other):
            return f"stream {name}: {difference}"
    return ""


def _compare_exactly(here: StreamState, there: StreamState) -> str:
    numbers, others = stream_numbers(here), stream_numbers(there)
    for name in _EXACT:
        if numbers[name] != others[name]:
            return f"{name} {numbers[name]} here, {others[name]} there"
    if here.waiting.rows() != there.waiting.rows():
        return "the labels that wait"
    if not np.array_equal(here.expired_ids.array(), there.expired_ids.array()):
        return "the ids that are remembered"
    return "" if here.window.rows() == there.window.rows() else "the examples of the window, or their labels"


def _compare_models(here: StreamState, there: StreamState) -> str:
    for number, spec in enumerate(here.config.models):
        (metrics, at), (others, other_at) = here.scores.metrics_of(number), there.scores.metrics_of(number)
        if (metrics.total, metrics.scored) != (others.total, others.scored):
            return f"model {spec} was scored on {metrics.scored} examples here, on {others.scored} there"
        difference = abs(metrics.tallies[at].right - others.tallies[other_at].right)
        if difference > max(MIN_FLIPPED, FLIPPED_SHARE * metrics.scored):
            return f"model {spec} was right {difference} times more or less often"
        if here.models and (problem := _compare_arrays(here.models[number], there.models[number])):
            return f"model {spec}: {problem}"
    return ""


def _compare_arrays(here: Model, there: Model) -> str:
    """Compare classes and arrays; pickled models have no arrays, so only their classes are compared."""
    if here.labels != there.labels:
        return f"classes {here.labels} here, {there.labels} there"
    arrays, others = here.state().arrays, there.state().arrays
    if arrays.keys() != others.keys():
        return f"arrays {sorted(arrays)} here, {sorted(others)} there"
    different = [name for name in sorted(arrays) if not _close(arrays[name], others[name])]
    return f"arrays {', '.join(different)}" if different else ""


def _close(here: npt.NDArray[np.generic], there: npt.NDArray[np.generic]) -> bool:
    if here.shape != there.shape or not np.issubdtype(here.dtype, np.number):
        return bool(np.array_equal(here, there))
    largest = float(np.max(np.abs(there), initial=0.0))
    return bool(np.allclose(here, there, rtol=TOLERANCE, atol=TOLERANCE * largest, equal_nan=True))
