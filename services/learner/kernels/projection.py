"""Kernels of random projections: every feature added to a few outputs, or every output the sum of a few features."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import kernel

Array = npt.NDArray[Any]


@kernel
def project(xs: Array, places: Array, signs: Array, scale: float, sums: Array, out: Array) -> None:
    """Row i of ``out`` is ``scale`` times the signed sums of row i of ``xs``, cut off at the range of float32.

    ``xs`` float32 [n, dim], ``places`` int32 and ``signs`` int8 [dim, copies] (the outputs of each feature and with
    which sign) are read; ``sums`` float64 [width] is scratch; ``out`` float32 [n, width] is written. Each output is
    summed in float64 in the order of the features, so that a row's result does not depend on the other rows.
    """
    for i in range(xs.shape[0]):
        for k in range(sums.shape[0]):
            sums[k] = 0.0
        for j in range(xs.shape[1]):
            value = np.float64(xs[i, j])
            for r in range(places.shape[1]):
                sums[places[j, r]] += value * signs[j, r]
        for k in range(sums.shape[0]):
            out[i, k] = min(max(sums[k] * scale, -3.4e38), 3.4e38)


@kernel
def random_features(xs: Array, places: Array, signs: Array, scale: float, sums: Array, out: Array) -> None:
    """Row i of ``out`` is ``scale`` times signed sums of features of row i of ``xs``, cut off at 0 and at float32.

    ``xs`` float32 [n, dim], ``places`` int32 and ``signs`` float64 [inputs, width] (the features of each output and
    with which sign) are read; ``sums`` float64 [width] is scratch; ``out`` float32 [n, width] is written. Each output
    is summed in float64, in the order of ``places``.
    """
    for i in range(xs.shape[0]):
        for k in range(sums.shape[0]):
            sums[k] = 0.0
        for r in range(places.shape[0]):
            for k in range(sums.shape[0]):
                sums[k] += np.float64(xs[i, places[r, k]]) * signs[r, k]
        for k in range(sums.shape[0]):
            out[i, k] = min(max(sums[k] * scale, 0.0), 3.4e38)
