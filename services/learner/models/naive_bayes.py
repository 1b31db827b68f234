"""`naive-bayes`: Gaussian naive Bayes, as River's, and able to unlearn."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, frozen, kernel
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector
from prequel.services.learner.models.classes import Classes, grown

Array = npt.NDArray[Any]

_NOTHING = np.full(1, -1, np.int64)
_NEVER = -1e100
_LEAST_VARIANCE = 1e-290
_FLOOR = 10e-10
_ROOT = 1.0 / math.sqrt(2.0 * math.pi)
_ROUND = 1.5 * 2**52
_LOG2E, _LN2 = 1.4426950408889634, 0.6931471805599453
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_ONE, _FRACTION = 1023 << 52, (1 << 52) - 1
_T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10, _T11 = (1.0 / math.factorial(n) for n in range(2, 12))


@kernel
def _sharpen(scatter: Array, count: float, precision: Array, height: Array) -> None:
    """What the densities need of the variances: half their inverse, and the height of the bell; 0 without variance."""
    share = 1.0 / count
    for j in range(scatter.shape[0]):
        variance = scatter[j] * share
        varies = variance > _LEAST_VARIANCE
        safe = variance if varies else 1.0
        precision[j] = 0.5 / safe if varies else 0.0
        height[j] = _ROOT / np.sqrt(safe) if varies else 0.0


@kernel
def _densities(x: Array, mean: Array, precision: Array, height: Array, power: Array, density: Array) -> None:
    """Each feature's density plus River's floor of 1e-9.

    exp(-e) is 2**-k * exp(r) with a Taylor polynomial for r below 0.35, good to 1e-14: unlike the C library's it runs
    in vector registers, and it is the same everywhere.
    """
    for j in range(x.shape[0]):
        apart = np.float64(x[j]) - mean[j]
        e = min(apart * apart * precision[j], 700.0)
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
    """Move the products' powers of two into the exponents, so that products of any length stay in range."""
    bits = products.view(np.int64)
    for i in range(LANES):
        exponents[i] += (bits[i] >> 52) - 1023
        bits[i] = (bits[i] & _FRACTION) | _ONE


@kernel
def _log_likelihood(density: Array, products: Array, exponents: Array) -> float:
    """The logarithm of the product of all."""
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
    most = logs[0]
    for k in range(1, classes):
        most = max(most, logs[k])
    total = 0.0
    for k in range(classes):
        out[k] = math.exp(logs[k] - most)
        total += out[k]
    for k in range(classes):
        out[k] /= total


@kernel
def _fold(
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
    for i in range(xs.shape[0]):
        if predicting and classes > 0:
            total = 0.0
            for k in range(classes):
                total += counts[k]
            for k in range(classes):
                logs[k] = _NEVER
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
            _sharpen(scatters[k], counts[k], precisions[k], heights[k])


@kernel
def _revert(x: Array, count: float, mean: Array, scatter: Array, precision: Array, height: Array) -> None:
    """Welford's update backwards; ``count`` is what remains."""
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
    _sharpen(scatter, max(count, 1.0), precision, height)


class NaiveBayes:
    """The same predictions as River's ``GaussianNB()``: per class and feature a mean and a variance.

    Unlearning takes an example out of both, up to rounding.
    """

    exact = True

    def __init__(self, dim: int) -> None:
        self._dim, self._classes = dim, Classes()
        self.labels = self._classes.labels
        self._counts, self._means, self._scatters = np.zeros(2), np.zeros((2, dim)), np.zeros((2, dim))
        self._precisions, self._heights, self._logs = np.zeros((2, dim)), np.zeros((2, dim)), np.zeros(2)
        self._power, self._density = np.zeros(dim, np.int64), np.zeros(dim)
        self._products, self._exponents = np.zeros(LANES), np.zeros(LANES, np.int64)

    def predict(self, x: Vector) -> Probabilities:
        out: Probabilities = self._run(x.reshape(1, -1), _NOTHING, len(self.labels), predicting=True)[0]
        return out

    def learn(self, x: Vector, label: str) -> None:
        known = len(self.labels)
        self._run(x.reshape(1, -1), np.array([self._classes.number(label)]), known, predicting=False)

    def unlearn(self, x: Vector, label: str) -> None:
        k = self._classes.find(label)
        self._counts[k] -= 1.0
        _revert(frozen(x), self._counts[k], self._means[k], self._scatters[k], self._precisions[k], self._heights[k])

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        targets, known = self._classes.numbers(labels)
        out = self._run(xs, targets, known[0] if known else 0, predicting=True)
        return [out[i, :size] for i, size in enumerate(known)]

    def state(self) -> ModelState:
        size = len(self.labels)
        arrays = {"counts": self._counts[:size].copy(), "means": self._means[:size].copy()}
        arrays["scatters"] = self._scatters[:size].copy()
        return ModelState({"labels": list(self.labels), "dim": self._dim}, arrays)

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of."""
        self._classes = Classes(state.meta["labels"])
        self.labels = self._classes.labels
        self._counts, self._means = state.arrays["counts"].copy(), state.arrays["means"].copy()
        self._scatters = state.arrays["scatters"].copy()
        self._precisions, self._heights = np.zeros_like(self._scatters), np.zeros_like(self._scatters)
        for k, count in enumerate(self._counts):
            _sharpen(self._scatters[k], max(count, 1.0), self._precisions[k], self._heights[k])

    def _run(self, xs: Matrix, targets: npt.NDArray[np.int64], known: int, *, predicting: bool) -> Probabilities:
        if xs.shape[1] != self._dim:
            raise ValueError(f"{xs.shape[1]} features, the model has {self._dim}")
        size = len(self.labels)
        if size > len(self._counts) or size > len(self._logs):
            self._grow(size)
        out = np.empty((len(xs) if predicting else 0, size))
        _fold(
            frozen(xs),
            targets,
            predicting,
            known,
            self._counts,
            self._means,
            self._scatters,
            self._precisions,
            self._heights,
            self._logs,
            self._power,
            self._density,
            self._products,
            self._exponents,
            out,
        )
        return out

    def _grow(self, size: int) -> None:
        self._counts, self._means = grown(self._counts, size), grown(self._means, size)
        self._scatters, self._precisions = grown(self._scatters, size), grown(self._precisions, size)
        self._heights, self._logs = grown(self._heights, size), grown(self._logs, size)
