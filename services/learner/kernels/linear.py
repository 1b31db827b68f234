"""The fused kernel of `logistic` and `softmax`: standardise, score and descend, row after row, in one call."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, kernel

Array = npt.NDArray[Any]

_MIN_VARIANCE = np.float32(1e-37)
"""A feature that varies less counts as constant: below the normal numbers of float32 its root would be garbage."""
_MAX_DEVIATIONS = np.float32(1e9)
"""Where standardised features are cut off: their products with weights stay within float32."""
_QUARTER = 0.25
"""The difference of two float32 may overflow float32, a quarter of it never does; the scale makes up for it."""


@kernel
def rescale(variance: Array, scale: Array) -> None:
    """Write 4 / deviation into ``scale`` float32 [dim] from ``variance`` float64 [dim]; 0 for constant features."""
    for j in range(variance.shape[0]):
        v = np.float32(variance[j])
        scale[j] = np.float32(4) / np.sqrt(v) if v > _MIN_VARIANCE else np.float32(0)


@kernel
def standardise(x: Array, mean: Array, scale: Array, z: Array) -> None:
    """Standardise ``x`` float32 [dim] into ``z`` float32 [dim], as River's StandardScaler; outliers stop at 1e9.

    ``mean`` float64 [dim]; ``scale`` float32 [dim] as ``rescale`` writes it.
    """
    for j in range(x.shape[0]):
        difference = np.float64(x[j]) - mean[j]
        z[j] = min(max(np.float32(_QUARTER * difference) * scale[j], -_MAX_DEVIATIONS), _MAX_DEVIATIONS)


@kernel
def observe(x: Array, mean: Array, variance: Array, scale: Array, count: int, before: Array, after: Array) -> None:
    """Standardise, learn the moments (Welford's update, as River's StandardScaler), and standardise again.

    ``x`` float32 [dim] is read; ``mean``, ``variance`` float64 [dim] and ``scale`` float32 [dim] are updated in place;
    ``count`` is how many examples there are with this one. ``before`` and ``after`` float32 [dim] get ``x``
    standardised by the old and by the new moments. ``after`` needs no cut-off: an example that the moments contain
    cannot be more than the root of ``count`` deviations away.
    """
    share = 1.0 / count
    rest = 1.0 - share
    gain = share * rest
    left = np.float32(rest)
    for j in range(x.shape[0]):
        difference = np.float64(x[j]) - mean[j]
        quarter = np.float32(_QUARTER * difference)
        before[j] = min(max(quarter * scale[j], -_MAX_DEVIATIONS), _MAX_DEVIATIONS)
        mean[j] += difference * share
        moved = variance[j] * rest + difference * difference * gain
        variance[j] = moved
        v = np.float32(moved)
        s = np.float32(4) / np.sqrt(v) if v > _MIN_VARIANCE else np.float32(0)
        scale[j] = s
        after[j] = quarter * left * s


@kernel
def _add_products(weights: Array, z: Array, lanes: Array) -> None:
    """Add weights · z to ``lanes`` float64 [LANES]; both float32 [dim].

    Four products are added in float32 before they go into a float64 lane: twice as fast, and the error of three float32
    additions is far below what gradient descent notices. Feature j goes into lane j mod LANES of its group of four.
    """
    fours = z.shape[0] - z.shape[0] % (4 * LANES)
    for j in range(0, fours, 4 * LANES):
        for i in range(LANES):
            one = weights[j + i] * z[j + i] + weights[j + i + LANES] * z[j + i + LANES]
            j2, j3 = j + 2 * LANES, j + 3 * LANES
            two = weights[j2 + i] * z[j2 + i] + weights[j3 + i] * z[j3 + i]
            lanes[i] += np.float64(one + two)
    for j in range(fours, z.shape[0]):
        lanes[(j - fours) % LANES] += np.float64(weights[j] * z[j])


@kernel
def _add_both(weights: Array, past: Array, z: Array, before: Array, after: Array) -> None:
    """``_add_products`` for ``past`` and ``z`` at once, bit-equal to two calls, so that the weights are read once."""
    fours = z.shape[0] - z.shape[0] % (4 * LANES)
    for j in range(0, fours, 4 * LANES):
        j1, j2, j3 = j + LANES, j + 2 * LANES, j + 3 * LANES
        for i in range(LANES):
            one = weights[j + i] * past[j + i] + weights[j1 + i] * past[j1 + i]
            two = weights[j2 + i] * past[j2 + i] + weights[j3 + i] * past[j3 + i]
            before[i] += np.float64(one + two)
            one = weights[j + i] * z[j + i] + weights[j1 + i] * z[j1 + i]
            two = weights[j2 + i] * z[j2 + i] + weights[j3 + i] * z[j3 + i]
            after[i] += np.float64(one + two)
    _add_products(weights[fours:], past[fours:], before)
    _add_products(weights[fours:], z[fours:], after)


@kernel
def _collect(lanes: Array, intercepts: Array, classes: int, raw: Array) -> None:
    """Sum ``lanes`` [classes, LANES] by halves, write that plus ``intercepts`` into ``raw``, and empty the lanes."""
    for k in range(classes):
        width = LANES // 2
        while width > 0:
            for i in range(width):
                lanes[k, i] += lanes[k, i + width]
            width //= 2
        raw[k] = lanes[k, 0] + intercepts[k]
        lanes[k, :] = 0.0


@kernel
def _one_vs_rest(raw: Array, out: Array, classes: int) -> None:
    """Each class's own sigmoid (exactly 0 or 1 beyond 30), divided by their sum."""
    total = 0.0
    for k in range(classes):
        if raw[k] < -30.0:
            out[k] = 0.0
        elif raw[k] > 30.0:
            out[k] = 1.0
        else:
            out[k] = 1.0 / (1.0 + math.exp(-raw[k]))
        total += out[k]
    for k in range(classes):
        out[k] = out[k] / total if total > 0.0 else 1.0 / classes


@kernel
def _softmax(raw: Array, out: Array, classes: int) -> None:
    """The largest is subtracted first, so that no exponential overflows."""
    largest = raw[0]
    for k in range(1, classes):
        largest = max(largest, raw[k])
    total = 0.0
    for k in range(classes):
        out[k] = math.exp(raw[k] - largest)
        total += out[k]
    for k in range(classes):
        out[k] /= total


@kernel
def _probabilities(raw: Array, multinomial: bool, known: int, out: Array) -> None:
    """From ``known`` raw scores to probabilities in ``out``."""
    if multinomial:
        _softmax(raw, out, known)
    else:
        _one_vs_rest(raw, out, known)


@kernel
def _log_gradient(raw: float, positive: bool) -> float:
    """Derivative of River's optim.losses.Log by the raw score."""
    sign = 1.0 if positive else -1.0
    z = raw * sign
    if z > 18.0:
        return math.exp(-z) * -sign
    if z < -18.0:
        return -sign
    return -sign / (math.exp(z) + 1.0)


@kernel
def _gradients(raw: Array, multinomial: bool, known: int, classes: int, target: int) -> None:
    """From raw scores to the loss's derivatives by them, in place. A class beyond ``known`` is new."""
    if multinomial and known > 0:
        _softmax(raw, raw, known)
    for k in range(classes):
        if multinomial:
            # A class is born with probability 0, and River clamps before it subtracts.
            p = raw[k] if k < known else 0.0
            raw[k] = min(max(p, 1e-15), 1.0 - 1e-15) - (1.0 if k == target else 0.0)
        else:
            raw[k] = _log_gradient(raw[k], k == target)


@kernel
def _descend(weights: Array, z: Array, step: np.float32) -> None:
    for j in range(z.shape[0]):
        weights[j] -= step * z[j]


@kernel
def _step(
    gradients: Array, multinomial: bool, rate: float, classes: int, weights: Array, intercepts: Array, z: Array
) -> None:
    """One step against the gradients. River's softmax regression has no intercepts, so ours has none."""
    for k in range(classes):
        if not multinomial:
            intercepts[k] -= rate * gradients[k]
        _descend(weights[k], z, np.float32(rate * gradients[k]))


@kernel
def fold_linear(
    xs: Array,
    targets: Array,
    multinomial: bool,
    predicting: bool,
    rate: float,
    classes: int,
    count: int,
    weights: Array,
    intercepts: Array,
    mean: Array,
    variance: Array,
    scale: Array,
    past: Array,
    z: Array,
    raw: Array,
    before: Array,
    after: Array,
    out: Array,
) -> int:
    """Predict (if ``predicting``) and learn each row; a target of -1 learns nothing.

    ``xs`` float32 [n, dim] and ``targets`` int64 [n], class numbers, are read; ``multinomial`` chooses softmax
    regression, else one-vs-rest; ``rate`` is the learning rate; ``classes`` is how many there are before row 0.
    Updated in place: ``weights`` float32 [>= classes, dim], ``intercepts`` float64 [>= classes], the moments ``mean``
    and ``variance`` float64 [dim], ``scale`` float32 [dim]. Scratch: ``past`` and ``z`` float32 [dim], ``raw`` float64
    [>= classes], ``before`` and ``after`` float64 [>= classes, LANES], which are empty before and after. Row i of
    ``out`` float64 [n, classes] gets as many probabilities as there were classes before row i was learned.
    Returns how many examples have been learned in all, ``count`` of them before this call.
    """
    for i in range(xs.shape[0]):
        learning = targets[i] >= 0
        known = classes
        if learning:
            count += 1
            classes = max(classes, targets[i] + 1)
        if learning:
            observe(xs[i], mean, variance, scale, count, past, z)
            for k in range(classes):
                if predicting and k < known:
                    _add_both(weights[k], past, z, before[k], after[k])
                else:
                    _add_products(weights[k], z, after[k])
        elif predicting:
            standardise(xs[i], mean, scale, past)
            for k in range(known):
                _add_products(weights[k], past, before[k])
        if predicting and known > 0:
            _collect(before, intercepts, known, raw)
            _probabilities(raw, multinomial, known, out[i])
        if learning:
            _collect(after, intercepts, classes, raw)
            _gradients(raw, multinomial, known, classes, targets[i])
            _step(raw, multinomial, rate, classes, weights, intercepts, z)
    return count
