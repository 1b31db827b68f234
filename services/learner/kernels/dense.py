"""The kernels of small dense networks: one layer forward, its errors back, and one step of its weights."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import kernel

Array = npt.NDArray[Any]


@kernel
def forward(xs: Array, weights: Array, biases: Array, rectified: bool, out: Array) -> None:
    """Write ``xs`` times ``weights`` plus ``biases`` into ``out`` [n, units]; what is below 0 is 0 if ``rectified``.

    ``xs`` [n, inputs], ``weights`` [inputs, units], ``biases`` [units], all float32. Every row by itself, input after
    input: no library's product of matrices, whose last bits depend on its threads and on how many rows it gets.
    """
    for n in range(xs.shape[0]):
        for j in range(out.shape[1]):
            out[n, j] = biases[j]
        for i in range(xs.shape[1]):
            x = xs[n, i]
            if x != np.float32(0):  # half of all rectified units
                for j in range(out.shape[1]):
                    out[n, j] += x * weights[i, j]
        if rectified:
            for j in range(out.shape[1]):
                out[n, j] = max(out[n, j], np.float32(0))


@kernel
def backward(errors: Array, weights: Array, units: Array, out: Array) -> None:
    """Write the errors of rectified units [n, inputs] into ``out``, from those of the layer behind them.

    ``errors`` [n, outputs], ``weights`` [inputs, outputs] and ``units``, the values of the units, are float32.
    """
    for n in range(errors.shape[0]):
        for i in range(units.shape[1]):
            total = np.float32(0)
            if units[n, i] > np.float32(0):
                for j in range(errors.shape[1]):
                    total += weights[i, j] * errors[n, j]
            out[n, i] = total


@kernel
def _gradient_row(xs: Array, errors: Array, i: int, row: Array) -> None:
    """Write the gradient of the weights of input ``i`` into ``row``: the sum over rows of value times error."""
    for j in range(row.shape[0]):
        row[j] = xs[0, i] * errors[0, j]
    for n in range(1, xs.shape[0]):
        x = xs[n, i]
        if x != np.float32(0):
            for j in range(row.shape[0]):
                row[j] += x * errors[n, j]


@kernel
def gradient_square(xs: Array, errors: Array, row: Array, sums: Array) -> float:
    """The squared length of the gradient of a layer's weights, which is not stored: for one example it is a product.

    ``xs`` [n, inputs] and ``errors`` [n, units] float32 are read; ``row`` float32 and ``sums`` float64 [units] are
    scratch.
    """
    sums[:] = 0.0
    for i in range(xs.shape[1]):
        _gradient_row(xs, errors, i, row)
        for j in range(row.shape[0]):
            sums[j] += np.float64(row[j]) * np.float64(row[j])
    total = 0.0
    for j in range(row.shape[0]):
        total += sums[j]
    return total


@kernel
def descend(
    weights: Array, velocities: Array, xs: Array, errors: Array, row: Array, step: np.float32, momentum: np.float32
) -> None:
    """One step of gradient descent with momentum: ``weights`` and ``velocities`` [inputs, units] are updated in place.

    ``row`` float32 [units] is scratch. Weights and velocities are read and written once: memory is what a step costs.
    """
    for i in range(weights.shape[0]):
        _gradient_row(xs, errors, i, row)
        for j in range(weights.shape[1]):
            velocity = momentum * velocities[i, j] - step * row[j]
            velocities[i, j] = velocity
            weights[i, j] += velocity
