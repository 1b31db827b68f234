"""Kernels of the models that score by a dot product and calibrate with a temperature, row after row.

They share a file because Numba's cache would not notice a change to a helper in another one (see ``compiled.kernel``).
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, kernel

Array = npt.NDArray[Any]

# What the arguments of the kernels below have in common. "classes" is at least the number of classes.
#   xs             float32 [n, dim]      read: the rows
#   targets        int64   [n]           read: each row's class number, or -1 to learn nothing
#   predicting     bool                  whether to predict; if not, ``out`` has no rows
#   known          int                   how many classes there are before row 0
#   counts         float64 [classes]     updated: examples of each class
#   temperature    float64 [3]           read: the logarithm of the sharpness as measured; updated: what the newest
#                                        labels add to it, and the curvature of their loss
#   recent         float64 [classes]     updated: shares of the classes among the newest labels
#   scores         float64 [classes]     scratch
#   probabilities  float64 [classes]     scratch
#   lanes          float64 [LANES]       scratch
#   out            float64 [n, classes]  row i gets as many probabilities as there were classes before it was learned

_FADED_OUT = 1e-100
"""A class with fewer examples than this has faded out: see ``fade``."""
_FADING = 0.995
"""The part of the curvature that each example leaves: it is a sum over about the last 200. With half as many the
temperature would shake, with twice as many it would follow a change twice as late."""
_INERTIA = 5.0
"""Added to the curvature: the first examples, whose curvature is near 0, would else throw the temperature about."""
_MAX_STEP = 0.2
"""One example changes the sharpness by at most a fifth, however wrong the prediction was."""
_NEWEST_SHARE = 0.02
"""The weight of the newest label in ``recent``, which is so an average over about the last 50 labels."""
_MAX_IMBALANCE = 0.1
"""The largest squared distance between the newest labels' shares and all labels' at which they count as a sample. A run
of one class among ten is 0.9 away; labels drawn at random are about 0.01 away."""
DOUBT = 0.5
"""Examples of each class that are imagined at random: see ``predict_scores``. Twice as many cost more log loss late in
easy streams than they save in hard ones early; with a tenth, one surprise costs as much as a hundred hits."""
_MAX_LOG = 30.0
"""The logarithm of the sharpness stays between -30 and 30, whatever the features: its exponential is finite."""
_MAX_ITERATIONS = 40
"""Newton's method takes 3 to 8 steps from the value measured before, and at most 30 from anywhere at 1 a step."""
_MAX_ROW_SLOPE = 10.0
"""One held-out row pulls at most as much as this against the others: an outlier, a million deviations away on the wrong
side, would else make all predictions even. Rows that are wrong with a probability of e^-10 are rarer than outliers."""
_HELD_OUT_ALONE = -1e90
"""A class whose only example is held out has a score below this."""
_NO_EXAMPLES = -1e100
"""The score of a class without examples: see ``models.solver``."""
_MIN_EXAMPLES = 20.0
"""Examples a class needs (or half of its fair share) before a prediction of it says anything of calibration."""


@kernel
def dot(a: Array, b: Array, lanes: Array) -> float:
    """Sum of products of ``a`` and ``b`` [dim], each taken to float64 first, over LANES partial sums."""
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
def predict_scores(scores: Array, temperature: Array, counts: Array, classes: int, out: Array) -> None:
    """Softmax of the scores times the sharpness, into ``out`` [>= classes], a share of it spread evenly over them.

    The share is what half an example of each class, imagined at random, weighs beside the ``counts``: after n examples
    nobody knows that a model errs less often than once in about n. So no class has probability 0.
    """
    sharpness = math.exp(temperature[0] + temperature[1])
    largest = scores[0]
    examples = 0.0
    for k in range(classes):
        largest = max(largest, scores[k])
        examples += max(counts[k], 0.0)
    total = 0.0
    for k in range(classes):
        out[k] = math.exp(sharpness * (scores[k] - largest))
        total += out[k]
    share = DOUBT * classes / (examples + classes) if classes > 1 else 0.0
    for k in range(classes):
        out[k] = (1.0 - share) * out[k] / total + share / classes


@kernel
def predict_rows(scores: Array, temperature: Array, counts: Array, out: Array) -> None:
    """``predict_scores`` of each row of ``scores`` float64 [n, classes], into ``out`` float64 [n, >= classes]."""
    for i in range(scores.shape[0]):
        predict_scores(scores[i], temperature, counts, scores.shape[1], out[i])


@kernel
def calibrate(
    scores: Array, temperature: Array, recent: Array, counts: Array, classes: int, target: int, probabilities: Array
) -> None:
    """One step of the temperature towards the smallest log loss of ``target``, before the example is learned.

    A damped Newton step on the logarithm of the sharpness, whose curvature is an exponentially fading sum: temperature
    scaling (Guo et al., "On calibration of modern neural networks", ICML 2017), online. There is no step while the
    newest labels are no sample of all: if classes come one after the other, predictions tell nothing of how they would
    do on a mixture.
    """
    if not _representative(recent, counts, classes, target):
        return
    slope, curvature = _slope(scores, temperature[0] + temperature[1], classes, target, probabilities)
    if slope - slope != 0.0 or curvature - curvature != 0.0:
        return  # Scores that are no numbers, as an outlier's may be, would leave a sharpness that is none for ever.
    temperature[2] = _FADING * temperature[2] + curvature
    step = min(max(slope / (temperature[2] + _INERTIA), -_MAX_STEP), _MAX_STEP)
    temperature[1] = min(max(temperature[0] + temperature[1] + step, -_MAX_LOG), _MAX_LOG) - temperature[0]


@kernel
def _slope(scores: Array, log_sharpness: float, classes: int, target: int, probabilities: Array) -> tuple[float, float]:
    """How the log likelihood of ``target`` rises with the logarithm of the sharpness, and the curvature of its loss."""
    sharpness = math.exp(log_sharpness)
    largest = scores[0]
    for k in range(1, classes):
        largest = max(largest, scores[k])
    total = 0.0
    for k in range(classes):
        probabilities[k] = math.exp(sharpness * (scores[k] - largest))
        total += probabilities[k]
    mean = 0.0
    square = 0.0
    for k in range(classes):
        s = sharpness * (scores[k] - largest)
        p = probabilities[k] / total
        if p > 0.0:
            mean += p * s
            square += p * s * s
    return sharpness * (scores[target] - largest) - mean, max(square - mean * mean, 0.0)


@kernel
def measure(scores: Array, targets: Array, prior: float, start: float, probabilities: Array) -> float:
    """The logarithm of the sharpness with the smallest log loss on rows that were held out.

    ``scores`` float64 [n, classes] of rows whose classes are ``targets`` int64 [n]. Rows of no class (-1), or of one
    that has no other example, or that hold no number, are left out. ``prior`` is the logarithm that is taken where
    there are no rows, and weighs as much as a row or two; ``start`` is where Newton's iteration begins, on which the
    result does not depend but for rounding.
    """
    at = start
    classes = scores.shape[1]
    for _ in range(_MAX_ITERATIONS):
        slope = prior - at
        curvature = 1.0
        for i in range(scores.shape[0]):
            if targets[i] < 0 or not scores[i, targets[i]] > _HELD_OUT_ALONE:
                continue
            row_slope, row_curvature = _slope(scores[i], at, classes, targets[i], probabilities)
            if row_slope - row_slope == 0.0:
                slope += max(row_slope, -_MAX_ROW_SLOPE)
                curvature += min(row_curvature, _MAX_ROW_SLOPE)
        step = min(max(slope / curvature, -1.0), 1.0)
        at = min(max(at + step, -_MAX_LOG), _MAX_LOG)
        if abs(step) < 1e-6:
            break
    return at


@kernel
def _representative(recent: Array, counts: Array, classes: int, target: int) -> bool:
    """Put ``target`` into ``recent``; whether the newest labels are distributed as all were.

    It is not the fold's LabelOrder, which asks whether an accuracy may be believed and says no from runs of 10 on. What
    is learned here may be learned from such runs too, and a camera's labels come in them: after a change of camera in
    runs of 10 of ten classes (CIFAR-10 through `compact`, 8,400 images), `mix` was right in 0.547 of the second half
    with this rule, and in 0.486 with LabelOrder, as `slda` alone (0.477); 0.592, 0.583 and 0.576 held out.
    """
    total = 0.0
    for k in range(classes):
        recent[k] *= 1.0 - _NEWEST_SHARE
        total += counts[k]
    recent[target] += _NEWEST_SHARE
    imbalance = 0.0
    for k in range(classes):
        imbalance += (recent[k] - counts[k] / max(total, 1.0)) ** 2
    return imbalance <= _MAX_IMBALANCE and counts[target] >= min(_MIN_EXAMPLES, 0.5 * total / classes)


@kernel
def mix(
    expert_probabilities: Array,
    targets: Array,
    known: int,
    floor: float,
    share: float,
    prior: Array,
    weights: Array,
    recent: Array,
    counts: Array,
    losses: Array,
    out: Array,
) -> None:
    """`mix`: the weighted mean of the experts' probabilities, and the weights that follow from how well they did.

    ``expert_probabilities`` float64 [experts, n, classes] were predicted before the row was learned. ``weights``
    float64 [experts] are updated as Bayes would with ``prior`` float64 [experts], by probabilities of the target no
    less than ``floor``; then ``share`` of them is dealt out by the prior again (Herbster and Warmuth, "Tracking the
    best expert", Machine Learning 32, 1998). They stay while the newest labels are no sample of all, as in
    ``calibrate``: where classes come one after the other, the expert with the shortest memory would win, and forget.
    A probability that is no number counts as 0, and becomes it: else one expert would silence all of them for ever.
    Of the same labels, ``losses`` float64 [3] takes in the number, the sum of the mean's log losses, and of their
    squares.
    """
    for i in range(targets.shape[0]):
        target = targets[i]
        for k in range(known):
            out[i, k] = 0.0
            for e in range(weights.shape[0]):
                if not math.isfinite(expert_probabilities[e, i, k]):
                    expert_probabilities[e, i, k] = 0.0
                out[i, k] += weights[e] * expert_probabilities[e, i, k]
        if target < 0:
            continue
        if target >= known:
            known = target + 1
        elif _representative(recent, counts, known, target):
            loss = -math.log(max(out[i, target], floor))
            losses[0] += 1.0
            losses[1] += loss
            losses[2] += loss * loss
            total = 0.0
            for e in range(weights.shape[0]):
                weights[e] *= max(expert_probabilities[e, i, target], floor)
                total += weights[e]
            for e in range(weights.shape[0]):
                weights[e] = (1.0 - share) * weights[e] / total + share * prior[e]
        counts[target] += 1.0


@kernel
def fade(counts: Array, totals: Array, fading: float) -> None:
    """Let counts [classes] and totals [classes, dim], float64, weigh ``fading`` of what they did, in place."""
    for k in range(counts.shape[0]):
        # What fades below the normal numbers of float64 would stay there for ever, and its mean would be garbage: a
        # class that stays away long enough becomes exactly 0.
        keep = fading if counts[k] > _FADED_OUT else 0.0
        counts[k] *= keep
        for j in range(totals.shape[1]):
            totals[k, j] *= keep


@kernel
def fold_scores(
    xs: Array,
    targets: Array,
    predicting: bool,
    room: int,
    solved: int,
    weights: Array,
    offsets: Array,
    counts: Array,
    base: Array,
    totals: Array,
    learned_before: int,
    period: int,
    keep: float,
    kept: Array,
    pending: Array,
    pending_classes: Array,
    pending_weights: Array,
    filled: int,
    temperature: Array,
    recent: Array,
    scores: Array,
    probabilities: Array,
    lanes: Array,
    out: Array,
) -> tuple[int, int]:
    """`slda` and `ridge` between two solves: predict and add up rows, until it is time to look at the schedule.

    It stops after ``room`` learned rows, after a row of a class that is not among the ``solved`` ones, and after a row
    whose class has twice the examples of ``base`` float64 [classes], the counts when the scores were solved.
    ``weights`` float64 [>= solved, dim] and ``offsets`` float64 [>= solved] make the scores. ``totals`` float64
    [classes, dim] is updated; learned rows go into ``pending`` float32 [>= filled + room, dim] from ``filled`` on,
    their classes into ``pending_classes`` int64, and a weight of 1 into ``pending_weights`` float64. With ``keep``
    below 1, all that was learned before weighs ``keep`` of what it did from each ``period``-th example on
    (``learned_before`` were learned before row 0): counts, totals, the weights of pending rows and ``kept`` float64
    [1], which is the factor for all that is not pending any more. Returns how many rows were consumed and how many of
    them learned.
    """
    learned = 0
    for i in range(xs.shape[0]):
        target = targets[i]
        if solved > 0 and (predicting or 0 <= target < solved):
            for k in range(solved):
                # Also where the last label of a class was taken back after the scores were solved.
                scores[k] = dot(weights[k], xs[i], lanes) + offsets[k] if counts[k] > 0.0 else _NO_EXAMPLES
        if predicting:
            if solved > 0:
                predict_scores(scores, temperature, counts, solved, out[i])
            for k in range(solved, out.shape[1]):
                out[i, k] = 0.0
        if target >= 0:
            if target < solved:
                calibrate(scores, temperature, recent, counts, solved, target, probabilities)
            step = learned_before + learned
            if keep < 1.0 and step > 0 and step % period == 0:
                fade(counts, totals, keep)
                kept[0] *= keep
                for p in range(filled + learned):
                    pending_weights[p] *= keep
            counts[target] += 1.0
            pending_classes[filled + learned] = target
            pending_weights[filled + learned] = 1.0
            for j in range(xs.shape[1]):
                totals[target, j] += xs[i, j]
                pending[filled + learned, j] = xs[i, j]
            learned += 1
            if learned == room or target >= solved or counts[target] >= 2.0 * base[target]:
                return i + 1, learned
    return xs.shape[0], learned


@kernel
def fold_means(
    xs: Array,
    targets: Array,
    predicting: bool,
    known: int,
    energy: Array,
    counts: Array,
    totals: Array,
    squares: Array,
    temperature: Array,
    recent: Array,
    scores: Array,
    probabilities: Array,
    lanes: Array,
    out: Array,
) -> None:
    """The whole of `ncm`.

    ``energy`` float64 [1] is the sum of all squared norms, ``totals`` float64 [classes, dim] the sum of each class's
    examples, ``squares`` float64 [classes] the squared norms of the totals; all are updated.
    """
    for i in range(xs.shape[0]):
        target = targets[i]
        if known > 0 and (predicting or 0 <= target < known):
            score_means(xs[i], known, energy, counts, totals, squares, scores, lanes)
        if predicting and known > 0:
            predict_scores(scores, temperature, counts, known, out[i])
        if target >= 0:
            if target < known:
                calibrate(scores, temperature, recent, counts, known, target, probabilities)
            known = max(known, target + 1)
            add_to_mean(xs[i], target, 1.0, energy, counts, totals, squares, lanes)


@kernel
def score_means(
    x: Array, classes: int, energy: Array, counts: Array, totals: Array, squares: Array, scores: Array, lanes: Array
) -> None:
    """Minus half the squared distance of ``x`` [dim] to each mean, in units of the mean squared distance to the own.

    Without the part that is common to all classes: |x|² cancels in the softmax.
    """
    total = 0.0
    between = 0.0
    for k in range(classes):
        if counts[k] > 0.0:
            total += counts[k]
            between += squares[k] / counts[k]
    spread = (energy[0] - between) / max(total, 1.0)
    # Rounding leaves a spread of about 1e-16 of the energy, of either sign, where all examples are their class's mean;
    # and less energy than there is between the classes, or none, where an outlier was taken back.
    if not spread > 1e-12 * energy[0] / max(total, 1.0):
        spread = max(energy[0], between, 1e-300)
    for k in range(classes):
        scores[k] = _NO_EXAMPLES
        if counts[k] > 0.0:
            scores[k] = (dot(totals[k], x, lanes) - 0.5 * squares[k] / counts[k]) / counts[k] / spread


@kernel
def add_to_mean(
    x: Array, target: int, sign: float, energy: Array, counts: Array, totals: Array, squares: Array, lanes: Array
) -> None:
    """Learn ``x`` [dim] as an example of ``target`` (``sign`` 1.0), or unlearn it (-1.0): see ``fold_means``."""
    energy[0] += sign * dot(x, x, lanes)
    counts[target] += sign
    for j in range(x.shape[0]):
        totals[target, j] += sign * x[j]
    squares[target] = dot(totals[target], totals[target], lanes)


@kernel
def _correct(
    x: Array, target: int, aggressive: bool, limit: float, classes: int, weights: Array, intercepts: Array, lanes: Array
) -> None:
    """Move the weights of each class, and of the classes still to come, whose margin was wrong or too small."""
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
    known: int,
    weights: Array,
    intercepts: Array,
    counts: Array,
    temperature: Array,
    recent: Array,
    scores: Array,
    probabilities: Array,
    lanes: Array,
    out: Array,
) -> None:
    """The whole of `perceptron` and (``aggressive``) `passive-aggressive`, one class against the rest.

    ``weights`` float64 [classes + 1, dim] and ``intercepts`` float64 [classes + 1] are updated. Their row 0 is what a
    class has learned that has not come yet: a new class begins with it, as if it had been known, and never seen, from
    the start. Class k is row k + 1. ``limit`` is the perceptron's step, or the largest passive-aggressive one, C.
    """
    for i in range(xs.shape[0]):
        target = targets[i]
        if known > 0 and (predicting or target >= 0):
            for k in range(known):
                scores[k] = dot(weights[k + 1], xs[i], lanes) + intercepts[k + 1]
        if predicting and known > 0:
            predict_scores(scores, temperature, counts, known, out[i])
        if target < 0:
            continue
        if target < known:
            calibrate(scores, temperature, recent, counts, known, target, probabilities)
        else:
            known = target + 1
            weights[known] = weights[0]
            intercepts[known] = intercepts[0]
        counts[target] += 1.0
        _correct(xs[i], target, aggressive, limit, known, weights, intercepts, lanes)


@kernel
def normalise(xs: Array, lanes: Array, out: Array) -> None:
    """Write the rows of ``xs``, divided by their Euclidean length, into ``out`` float32 [n, dim]; zeros stay zeros."""
    for i in range(xs.shape[0]):
        square = dot(xs[i], xs[i], lanes)
        scale = 1.0 / math.sqrt(square) if square > 0.0 else 0.0
        for j in range(xs.shape[1]):
            out[i, j] = xs[i, j] * scale
