"""The kernel of `knn`: distances of one vector to the rows of a window."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, kernel

Array = npt.NDArray[Any]


@kernel
def squared_distances(x: Array, rows: Array, size: int, lanes: Array, out: Array) -> None:
    """Squared Euclidean distances of ``x`` to the first ``size`` rows, in float64.

    ``x`` float32 [dim] and ``rows`` float32 [>= size, dim] are read, ``lanes`` float64 [LANES] is scratch, ``out``
    float64 [>= size] is written. Each distance is summed over LANES partial sums, as in ``scores.dot``.
    """
    whole = x.shape[0] - x.shape[0] % LANES
    for r in range(size):
        for i in range(LANES):
            lanes[i] = 0.0
        for j in range(0, whole, LANES):
            for i in range(LANES):
                difference = np.float64(x[j + i]) - np.float64(rows[r, j + i])
                lanes[i] += difference * difference
        for j in range(whole, x.shape[0]):
            difference = np.float64(x[j]) - np.float64(rows[r, j])
            lanes[j - whole] += difference * difference
        width = LANES // 2
        while width > 0:
            for i in range(width):
                lanes[i] += lanes[i + width]
            width //= 2
        out[r] = lanes[0]
