"""Compares two folds of one log on different kinds of machine: all but the rounding must be equal."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.base import Model

TOLERANCE = 1e-4
"""Of the arrays of models, relative to each array's largest value: BLAS and compiled kernels round some 1e-7 apart,
long sums of it come to 1e-5 or so. What differs by more has learned something else."""
FLIPPED, SOME = 0.001, 3
"""Predictions that may differ: where two classes are as probable, rounding decides. A share of all, and some anyway."""

WITHIN = (
    f"not bit-equal, but equal: counts, classes, ids, labels and positions exactly, models within {TOLERANCE:g} of "
    f"their largest values, predictions but for {FLIPPED:.1%}"
)

_EXACT = ("limits", "seed", "backbone", "dim", "labels", "counts", "statuses")
"""What a stream knows of its events, whatever its models say."""


def compare(mine: Fold, theirs: Fold) -> str:
    """What differs by more than rounding, in words; empty where nothing does."""
    if mine.streams.keys() != theirs.streams.keys():
        return f"streams {sorted(mine.streams)} here, {sorted(theirs.streams)} there"
    for name, stream in mine.streams.items():
        if found := _facts(stream, theirs.streams[name]) or _models(stream, theirs.streams[name]):
            return f"stream {name}: {found}"
    return ""


def _facts(mine: StreamState, theirs: StreamState) -> str:
    ours, others = mine.numbers(), theirs.numbers()
    for name in _EXACT:
        if ours[name] != others[name]:
            return f"{name} {ours[name]} here, {others[name]} there"
    if mine.waiting.rows() != theirs.waiting.rows():
        return "the labels that wait"
    if not np.array_equal(mine.duplicates.array(), theirs.duplicates.array()):
        return "the ids that are remembered"
    return "" if mine.window.facts() == theirs.window.facts() else "the examples of the window, or their labels"


def _models(mine: StreamState, theirs: StreamState) -> str:
    for number, spec in enumerate(mine.limits.models):
        (ours, at), (others, there) = mine.scores.of(number), theirs.scores.of(number)
        if (ours.total, ours.held) != (others.total, others.held):
            return f"model {spec} was scored on {ours.held} examples here, on {others.held} there"
        apart = abs(ours.tallies[at].right - others.tallies[there].right)
        if apart > max(SOME, FLIPPED * ours.held):
            return f"model {spec} was right {apart} times more or less often"
        if mine.models and (found := _apart(mine.models[number], theirs.models[number])):
            return f"model {spec}: {found}"
    return ""


def _apart(mine: Model, theirs: Model) -> str:
    """Of models that are pickled only the classes: their arrays are River's own."""
    if mine.labels != theirs.labels:
        return f"classes {mine.labels} here, {theirs.labels} there"
    ours, others = mine.state().arrays, theirs.state().arrays
    if ours.keys() != others.keys():
        return f"arrays {sorted(ours)} here, {sorted(others)} there"
    wrong = [name for name in sorted(ours) if not _close(ours[name], others[name])]
    return f"arrays {', '.join(wrong)}" if wrong else ""


def _close(mine: npt.NDArray[np.generic], theirs: npt.NDArray[np.generic]) -> bool:
    if mine.shape != theirs.shape or not np.issubdtype(mine.dtype, np.number):
        return bool(np.array_equal(mine, theirs))
    largest = float(np.max(np.abs(theirs), initial=0.0))
    return bool(np.allclose(mine, theirs, rtol=TOLERANCE, atol=TOLERANCE * largest, equal_nan=True))
