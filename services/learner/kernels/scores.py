"""Kernels of the models that score by a dot product and calibrate with a temperature, row after row."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, kernel

Array = npt.NDArray[Any]

_GONE = 1e-100
"""Examples of a class, when all have faded so far that they count for nothing."""
_FADING = 0.995
_INERTIA = 5.0
_STRIDE = 0.2
_NEW = 0.02
_STRANGE = 0.1
_FEW = 20.0


@kernel
def dot(a: Array, b: Array, lanes: Array) -> float:
    """Float64 sum of products, in LANES partial sums."""
    whole = a.shape[0] - a.shape[0] % LANES
    for i in range(LANES):
        lanes[i] = 0.0
    for j in range(0, whole, LANES):
        for i in range(LANES):
            lanes[i] += np.float64(a[j + i]) * np.float64(b[j + i])
    for j in range(whole, a.shape[0]):
        lanes[j - whole] += np.float64(a[j]) * np.float64(b[j])
    width = LANES // 2
    while width > 0:
        for i in range(width):
            lanes[i] += lanes[i + width]
        width //= 2
    return float(lanes[0])


@kernel
def temper(scores: Array, heat: Array, classes: int, out: Array) -> None:
    """Softmax of the scores times exp(heat[0])."""
    sharpness = math.exp(heat[0])
    most = scores[0]
    for k in range(1, classes):
        most = max(most, scores[k])
    total = 0.0
    for k in range(classes):
        out[k] = math.exp(sharpness * (scores[k] - most))
        total += out[k]
    for k in range(classes):
        out[k] /= total


@kernel
def calibrate(
    scores: Array, heat: Array, recent: Array, counts: Array, classes: int, target: int, probabilities: Array
) -> None:
    """One step of the temperature towards the scores' smallest log loss, before the example is learned.

    A damped Newton step on the logarithm of the sharpness, whose curvature is an exponentially fading sum (about the
    last 200 examples): temperature scaling (Guo et al., ICML 2017), online. No step where the newest labels are not
    a sample of all: one class after the other, predictions say nothing of how they would do on a mixture.
    """
    if not _typical(recent, counts, classes, target):
        return
    temper(scores, heat, classes, probabilities)
    sharpness = math.exp(heat[0])
    most = scores[0]
    for k in range(1, classes):
        most = max(most, scores[k])
    mean = 0.0
    square = 0.0
    for k in range(classes):
        s = sharpness * (scores[k] - most)
        mean += probabilities[k] * s
        square += probabilities[k] * s * s
    heat[1] = _FADING * heat[1] + max(square - mean * mean, 0.0)
    step = (mean - sharpness * (scores[target] - most)) / (heat[1] + _INERTIA)
    heat[0] = min(max(heat[0] - min(max(step, -_STRIDE), _STRIDE), -30.0), 30.0)


@kernel
def _typical(recent: Array, counts: Array, classes: int, target: int) -> bool:
    """Whether the newest 50 labels or so (``recent``, an exponential average) are distributed as all were."""
    total = 0.0
    for k in range(classes):
        recent[k] *= 1.0 - _NEW
        total += counts[k]
    recent[target] += _NEW
    apart = 0.0
    for k in range(classes):
        apart += (recent[k] - counts[k] / max(total, 1.0)) ** 2
    return apart <= _STRANGE and counts[target] >= min(_FEW, 0.5 * total / classes)


@kernel
def _fade(counts: Array, totals: Array, fading: float) -> None:
    for k in range(counts.shape[0]):
        # A class that stays away is gone in the end: what fades below the normal numbers sticks there, and is garbage.
        keep = fading if counts[k] > _GONE else 0.0
        counts[k] *= keep
        for j in range(totals.shape[1]):
            totals[k, j] *= keep


@kernel
def fade(counts: Array, totals: Array, fading: float) -> None:
    """Let counts [classes] and totals [classes, dim] weigh ``fading`` of what they did, in place."""
    _fade(counts, totals, fading)


@kernel
def fold_scores(
    xs: Array,
    targets: Array,
    predicting: bool,
    room: int,
    solved: int,
    fading: float,
    weights: Array,
    offsets: Array,
    heat: Array,
    recent: Array,
    counts: Array,
    base: Array,
    totals: Array,
    pending: Array,
    owners: Array,
    filled: int,
    scores: Array,
    probabilities: Array,
    lanes: Array,
    out: Array,
) -> tuple[int, int]:
    """Predict (if asked) and add up rows, until ``room`` rows are learned or one was of a class not yet ``solved``.

    Nor does it go past a row whose class has twice the examples of ``base``, the counts when the scores were solved.
    ``weights`` [>= solved, dim] and ``offsets`` make the scores; ``counts``, ``totals`` and ``heat`` are updated in
    place, and learned rows put into ``pending`` from ``filled`` on, their classes into ``owners``. Returns how many
    rows were consumed and learned.
    """
    learned = 0
    for i in range(xs.shape[0]):
        target = targets[i]
        if solved > 0 and (predicting or 0 <= target < solved):
            for k in range(solved):
                scores[k] = dot(weights[k], xs[i], lanes) + offsets[k]
        if predicting:
            if solved > 0:
                temper(scores, heat, solved, out[i])
            for k in range(solved, out.shape[1]):
                out[i, k] = 0.0
        if target >= 0:
            if target < solved:
                calibrate(scores, heat, recent, counts, solved, target, probabilities)
            if fading < 1.0:
                _fade(counts, totals, fading)
            counts[target] += 1.0
            owners[filled + learned] = target
            for j in range(xs.shape[1]):
                totals[target, j] += xs[i, j]
                pending[filled + learned, j] = xs[i, j]
            learned += 1
            if learned == room or target >= solved or counts[target] >= 2.0 * base[target]:
                return i + 1, learned
    return xs.shape[0], learned


@kernel
def correlate(scatter: Array, inverse: Array, share: float, ridge: float) -> None:
    """The lower triangle of a scatter matrix (Fortran order) to a shrunken correlation matrix, in place."""
    for j in range(scatter.shape[0]):
        for i in range(j, scatter.shape[0]):
            scatter[i, j] *= inverse[i] * inverse[j] * share
        scatter[j, j] += ridge


@kernel
def pack(matrix: Array, packed: Array) -> None:
    """The lower triangle, column after column."""
    at = 0
    for j in range(matrix.shape[0]):
        for i in range(j, matrix.shape[0]):
            packed[at] = matrix[i, j]
            at += 1


@kernel
def unpack(packed: Array, matrix: Array) -> None:
    at = 0
    for j in range(matrix.shape[0]):
        for i in range(j, matrix.shape[0]):
            matrix[i, j] = packed[at]
            at += 1


@kernel
def fold_means(
    xs: Array,
    targets: Array,
    predicting: bool,
    classes: int,
    energy: Array,
    counts: Array,
    totals: Array,
    squares: Array,
    heat: Array,
    recent: Array,
    scores: Array,
    probabilities: Array,
    lanes: Array,
    out: Array,
) -> None:
    """The whole of `ncm`. ``energy[0]`` is the sum of all squared norms, ``squares`` those of the totals (derived)."""
    for i in range(xs.shape[0]):
        target = targets[i]
        if classes > 0 and (predicting or 0 <= target < classes):
            score_means(xs[i], classes, energy, counts, totals, squares, scores, lanes)
        if predicting and classes > 0:
            temper(scores, heat, classes, out[i])
        if target >= 0:
            if target < classes:
                calibrate(scores, heat, recent, counts, classes, target, probabilities)
            classes = max(classes, target + 1)
            add_to_mean(xs[i], target, 1.0, energy, counts, totals, squares, lanes)


@kernel
def score_means(
    x: Array, classes: int, energy: Array, counts: Array, totals: Array, squares: Array, scores: Array, lanes: Array
) -> None:
    """Minus half the squared distance to each mean, in units of the mean squared distance to the own one."""
    total = 0.0
    between = 0.0
    for k in range(classes):
        if counts[k] > 0.0:
            total += counts[k]
            between += squares[k] / counts[k]
    spread = (energy[0] - between) / max(total, 1.0)
    if not spread > 1e-12 * energy[0] / max(total, 1.0):
        spread = max(energy[0], 1e-300)
    for k in range(classes):
        scores[k] = -1e100
        if counts[k] > 0.0:
            scores[k] = (dot(totals[k], x, lanes) - 0.5 * squares[k] / counts[k]) / counts[k] / spread


@kernel
def add_to_mean(
    x: Array, target: int, sign: float, energy: Array, counts: Array, totals: Array, squares: Array, lanes: Array
) -> None:
    energy[0] += sign * dot(x, x, lanes)
    counts[target] += sign
    for j in range(x.shape[0]):
        totals[target, j] += sign * x[j]
    squares[target] = dot(totals[target], totals[target], lanes)


@kernel
def _correct(
    x: Array, target: int, aggressive: bool, limit: float, classes: int, weights: Array, intercepts: Array, lanes: Array
) -> None:
    """Move each row, that of the classes to come too, where it was wrong or not sure enough."""
    square = dot(x, x, lanes)
    for k in range(classes + 1):
        sign = 1.0 if k == target + 1 else -1.0
        margin = sign * (dot(weights[k], x, lanes) + intercepts[k])
        step = 0.0
        if aggressive:
            if square > 0.0:
                step = min(limit, max(0.0, 1.0 - margin) / square)
        elif margin <= 0.0:
            step = limit
        if step > 0.0:
            intercepts[k] += sign * step
            for j in range(x.shape[0]):
                weights[k, j] += sign * step * x[j]


@kernel
def fold_margins(
    xs: Array,
    targets: Array,
    predicting: bool,
    aggressive: bool,
    limit: float,
    classes: int,
    weights: Array,
    intercepts: Array,
    heat: Array,
    recent: Array,
    counts: Array,
    scores: Array,
    probabilities: Array,
    lanes: Array,
    out: Array,
) -> None:
    """The whole of `perceptron` and (``aggressive``) `passive-aggressive`, one against the rest.

    Row 0 of ``weights`` is what a class has learned that has not come yet: a new class begins with it, as if it had
    been known, and never seen, from the start. Class k is row k + 1.
    """
    for i in range(xs.shape[0]):
        target = targets[i]
        if classes > 0 and (predicting or target >= 0):
            for k in range(classes):
                scores[k] = dot(weights[k + 1], xs[i], lanes) + intercepts[k + 1]
        if predicting and classes > 0:
            temper(scores, heat, classes, out[i])
        if target < 0:
            continue
        if target < classes:
            calibrate(scores, heat, recent, counts, classes, target, probabilities)
        else:
            classes = target + 1
            weights[classes] = weights[0]
            intercepts[classes] = intercepts[0]
        counts[target] += 1.0
        _correct(xs[i], target, aggressive, limit, classes, weights, intercepts, lanes)


@kernel
def normalise(xs: Array, lanes: Array, out: Array) -> None:
    """Rows divided by their Euclidean length; rows of zeros stay."""
    for i in range(xs.shape[0]):
        square = dot(xs[i], xs[i], lanes)
        scale = 1.0 / math.sqrt(square) if square > 0.0 else 0.0
        for j in range(xs.shape[1]):
            out[i, j] = xs[i, j] * scale
