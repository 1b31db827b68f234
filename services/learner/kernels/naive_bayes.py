"""The kernel of `naive-bayes`: Gaussian densities whose product stays in range, row after row, in one call."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, kernel

Array = npt.NDArray[Any]

_NO_EXAMPLES = -1e100
"""The log likelihood of a class from which every example was unlearned: it gets probability 0."""
_MIN_VARIANCE = 1e-290
"""Smallest variance: below it half its inverse would overflow, and the feature counts as constant."""
_FLOOR = 10e-10
"""Added to every density, as River does, so that one impossible feature does not rule a class out."""
_ROOT = 1.0 / math.sqrt(2.0 * math.pi)
_ROUND = 1.5 * 2**52
"""Added to a float64 and subtracted again it rounds to a whole number, in vector registers."""
_LOG2E, _LN2 = 1.4426950408889634, 0.6931471805599453
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
"""ln 2 in two parts, whose first has trailing zeros: k times it is exact."""
_ONE, _FRACTION = 1023 << 52, (1 << 52) - 1
"""The bits of the exponent of 1.0, and of a float64's fraction."""
_T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10, _T11 = (1.0 / math.factorial(n) for n in range(2, 12))
"""Taylor coefficients of exp."""


@kernel
def sharpen(scatter: Array, count: float, precision: Array, height: Array) -> None:
    """Of one class, half the inverse variances and the heights of the densities; both 0 for a constant feature.

    ``scatter`` float64 [dim], the sums of squared deviations, is read; ``precision`` and ``height`` float64 [dim] are
    written. ``count`` is how many examples the class has, at least 1.
    """
    share = 1.0 / count
    for j in range(scatter.shape[0]):
        variance = scatter[j] * share
        varies = variance > _MIN_VARIANCE
        safe = variance if varies else 1.0
        precision[j] = 0.5 / safe if varies else 0.0
        height[j] = _ROOT / np.sqrt(safe) if varies else 0.0


@kernel
def _densities(x: Array, mean: Array, precision: Array, height: Array, power: Array, density: Array) -> None:
    """Each feature's density plus River's floor of 1e-9, into ``density`` float64 [dim].

    ``x`` float32, ``mean``, ``precision`` and ``height`` float64 [dim] are read; ``power`` int64 [dim] is scratch.
    exp(-e) is 2**-k * exp(r) with a Taylor polynomial for r below 0.35, good to 1e-14: unlike the C library's it runs
    in vector registers, and it is the same everywhere.
    """
    for j in range(x.shape[0]):
        difference = np.float64(x[j]) - mean[j]
        e = min(difference * difference * precision[j], 700.0)
        k = (e * _LOG2E + _ROUND) - _ROUND
        r = k * _LN2_HIGH - e + k * _LN2_LOW
        p = _T6 + r * (_T7 + r * (_T8 + r * (_T9 + r * (_T10 + r * _T11))))
        p = 1.0 + r * (1.0 + r * (_T2 + r * (_T3 + r * (_T4 + r * (_T5 + r * p)))))
        density[j] = p * height[j]
        power[j] = (1023 - np.int64(k)) << 52
    two = power.view(np.float64)
    for j in range(x.shape[0]):
        density[j] = _FLOOR + density[j] * two[j]


@kernel
def _carry(products: Array, exponents: Array) -> None:
    """Move the products' powers of two into the exponents, so that products of any length stay in range.

    ``products`` float64 [LANES], ``exponents`` int64 [LANES], both in place.
    """
    bits = products.view(np.int64)
    for i in range(LANES):
        exponents[i] += (bits[i] >> 52) - 1023
        bits[i] = (bits[i] & _FRACTION) | _ONE


@kernel
def _log_likelihood(density: Array, products: Array, exponents: Array) -> float:
    """The logarithm of the product of all densities, with one call of ``log`` in place of one for each feature.

    ``density`` float64 [dim] is read; ``products`` and ``exponents`` [LANES] are scratch. Lane i multiplies
    the features i, i + LANES, ...; the lanes are multiplied in order.
    """
    for i in range(LANES):
        products[i] = 1.0
        exponents[i] = 0
    whole = density.shape[0] - density.shape[0] % LANES
    for j in range(0, whole, LANES):
        for i in range(LANES):
            products[i] *= density[j + i]
        # Densities of float32 features are below 2**150: four of them leave the product in range.
        if j // LANES % 4 == 3:
            _carry(products, exponents)
    for j in range(whole, density.shape[0]):
        products[j - whole] *= density[j]
    _carry(products, exponents)
    mantissa = 1.0
    exponent = 0
    for i in range(LANES):
        mantissa *= products[i]
        exponent += exponents[i]
    return math.log(mantissa) + exponent * _LN2


@kernel
def _posterior(logs: Array, classes: int, out: Array) -> None:
    """Softmax of the first ``classes`` of ``logs`` into ``out``: the largest is subtracted, so that none overflows."""
    largest = logs[0]
    for k in range(1, classes):
        largest = max(largest, logs[k])
    total = 0.0
    for k in range(classes):
        out[k] = math.exp(logs[k] - largest)
        total += out[k]
    for k in range(classes):
        out[k] /= total


@kernel
def fold_gaussians(
    xs: Array,
    targets: Array,
    predicting: bool,
    classes: int,
    counts: Array,
    means: Array,
    scatters: Array,
    precisions: Array,
    heights: Array,
    logs: Array,
    power: Array,
    density: Array,
    products: Array,
    exponents: Array,
    out: Array,
) -> None:
    """The whole of `naive-bayes`: predict (if ``predicting``) and learn each row; a target of -1 learns nothing.

    ``xs`` float32 [n, dim] and ``targets`` int64 [n] are read; ``classes`` is how many there are before row 0.
    Updated in place, each with at least as many rows as there will be classes: ``counts`` float64, ``means`` and
    ``scatters`` (Welford's update, Technometrics 4, 1962), ``precisions`` and ``heights`` (see ``sharpen``) float64
    [classes, dim]. Scratch: ``logs`` float64 [classes], ``power`` int64 and ``density`` float64 [dim], ``products``
    float64 and ``exponents`` int64 [LANES]. Row i of ``out`` float64 [n, classes] gets as many probabilities as there
    were classes before row i was learned.
    """
    for i in range(xs.shape[0]):
        if predicting and classes > 0:
            total = 0.0
            for k in range(classes):
                total += counts[k]
            for k in range(classes):
                logs[k] = _NO_EXAMPLES
                if counts[k] > 0.0:
                    _densities(xs[i], means[k], precisions[k], heights[k], power, density)
                    logs[k] = math.log(counts[k] / total) + _log_likelihood(density, products, exponents)
            _posterior(logs, classes, out[i])
        k = targets[i]
        if k >= 0:
            classes = max(classes, k + 1)
            counts[k] += 1.0
            share = 1.0 / counts[k]
            for j in range(xs.shape[1]):
                before = np.float64(xs[i, j]) - means[k, j]
                means[k, j] += share * before
                scatters[k, j] += before * (np.float64(xs[i, j]) - means[k, j])
            sharpen(scatters[k], counts[k], precisions[k], heights[k])


@kernel
def remove_example(x: Array, count: float, mean: Array, scatter: Array, precision: Array, height: Array) -> None:
    """Take ``x`` float32 [dim] out of one class: Welford's update backwards. ``count`` is how many examples remain.

    ``mean``, ``scatter``, ``precision`` and ``height`` float64 [dim] are updated in place.
    """
    for j in range(x.shape[0]):
        before = np.float64(x[j]) - mean[j]
        mean[j] = mean[j] - before / count if count > 0.0 else 0.0
        removed = before * (np.float64(x[j]) - mean[j])
        left = scatter[j] - removed
        scatter[j] = left
        if left <= 1e-12 * removed or count <= 1.0:
            # It does not vary any more. What rounding left would be an endlessly sharp density, now or, where it is in
            # the mean, with the next example: all that were learned are float32, and so is what they have in common.
            scatter[j] = 0.0
            mean[j] = np.float64(np.float32(mean[j])) if abs(mean[j]) > 1e-12 * abs(x[j]) else 0.0
    sharpen(scatter, max(count, 1.0), precision, height)
