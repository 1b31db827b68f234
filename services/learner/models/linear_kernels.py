"""The fused kernel of `logistic` and `softmax`: standardise, score and descend, row after row, in one call."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from services.learner.models.kernel import LANES, kernel

Array = npt.NDArray[Any]

_LEAST_VARIANCE = np.float32(1e-37)
_MOST = 1e9


@kernel
def standardise(x: Array, mean: Array, variance: Array, z: Array) -> None:
    """As River's StandardScaler. Features that do not vary (in float32) become 0; outliers stop at 1e9 deviations."""
    for j in range(x.shape[0]):
        v = np.float32(variance[j])
        scale = np.float32(1) / np.sqrt(v) if v > _LEAST_VARIANCE else np.float32(0)
        z[j] = min(max((np.float64(x[j]) - mean[j]) * np.float64(scale), -_MOST), _MOST)


@kernel
def observe(x: Array, mean: Array, variance: Array, count: int) -> None:
    """Welford's update of running mean and population variance, as River's StandardScaler."""
    share = 1.0 / count
    for j in range(x.shape[0]):
        before = np.float64(x[j]) - mean[j]
        mean[j] += before * share
        variance[j] += (before * (np.float64(x[j]) - mean[j]) - variance[j]) * share


@kernel
def _dot(a: Array, b: Array, lanes: Array) -> float:
    """Float64 sum over products of float32, in LANES partial sums."""
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
    most = raw[0]
    for k in range(1, classes):
        most = max(most, raw[k])
    total = 0.0
    for k in range(classes):
        out[k] = math.exp(raw[k] - most)
        total += out[k]
    for k in range(classes):
        out[k] /= total


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
def _descend(weights: Array, z: Array, step: np.float32) -> None:
    for j in range(z.shape[0]):
        weights[j] -= step * z[j]


@kernel
def fold(
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
    z: Array,
    raw: Array,
    lanes: Array,
    out: Array,
) -> None:
    """Predict (if asked) and learn each row of ``xs`` [n, dim]; ``targets`` are class numbers, -1 to learn nothing.

    ``weights`` [>= classes, dim] float32, ``intercepts`` float64 and the moments ``mean``, ``variance`` [dim] float64
    are updated in place; ``z``, ``raw``, ``lanes`` are scratch; row i of ``out`` gets as many probabilities as there
    were classes before it.
    """
    for i in range(xs.shape[0]):
        if predicting and classes > 0:
            standardise(xs[i], mean, variance, z)
            for k in range(classes):
                raw[k] = _dot(weights[k], z, lanes) + intercepts[k]
            if multinomial:
                _softmax(raw, out[i], classes)
            else:
                _one_vs_rest(raw, out[i], classes)
        if targets[i] >= 0:
            count += 1
            observe(xs[i], mean, variance, count)
            standardise(xs[i], mean, variance, z)
            known = classes
            classes = max(classes, targets[i] + 1)
            for k in range(classes):
                raw[k] = _dot(weights[k], z, lanes) + intercepts[k]
            if multinomial and known > 0:
                _softmax(raw, raw, known)
            for k in range(classes):
                if multinomial:
                    # A class is born with probability 0, and River clamps before it subtracts.
                    p = raw[k] if k < known else 0.0
                    gradient = min(max(p, 1e-15), 1.0 - 1e-15) - (1.0 if k == targets[i] else 0.0)
                else:
                    gradient = _log_gradient(raw[k], k == targets[i])
                    intercepts[k] -= rate * gradient
                _descend(weights[k], z, np.float32(rate * gradient))
