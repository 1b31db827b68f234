"""The kernel of feature drift: every vector reduced to a few projections, and the moments of these."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import LANES, kernel

Array = npt.NDArray[Any]

PROJECTIONS = LANES
"""Numbers that a vector is reduced to (as many as it has features, where these are fewer). With half as many, chance
alone scored up to a tenth higher; with twice as many, no change was found sooner, and the state is twice as large."""


@kernel
def add_moments(
    xs: Array,
    begin: int,
    end: int,
    signs: Array,
    centre: Array,
    scale: Array,
    limit: float,
    wild: float,
    sums: Array,
    out: Array,
) -> None:
    """Add the rows ``begin`` to ``end`` of ``xs`` to the moments ``out``.

    ``xs`` float32 [n, dim] and ``signs`` float32 [dim] (1 or -1) are read; so are ``centre`` and ``scale`` float64 [k],
    k = min(PROJECTIONS, dim). Projection c of a row is the signed sum of its features c, c + 64, c + 128, ..., and its
    deviation is that less ``centre``. ``sums`` float64 [PROJECTIONS] is scratch; ``out`` float64 [4, k] gains the
    deviation and its square, cut off where the deviation times ``scale`` is ``wild``, and of that product, cut off at
    ``limit``, the value and the absolute value. A ``scale`` of 0 cuts nothing off.
    """
    whole = xs.shape[1] - xs.shape[1] % LANES
    for i in range(begin, end):
        x = xs[i]
        for c in range(LANES):
            sums[c] = 0.0
        for j in range(0, whole, LANES):
            for c in range(LANES):
                sums[c] += np.float64(x[j + c] * signs[j + c])
        for c in range(xs.shape[1] - whole):
            sums[c] += np.float64(x[whole + c] * signs[whole + c])
        for c in range(centre.shape[0]):
            deviation = sums[c] - centre[c]
            if abs(deviation * scale[c]) > wild:
                deviation = np.copysign(wild / scale[c], deviation)
            scaled = min(max(deviation * scale[c], -limit), limit)
            out[0, c] += deviation
            out[1, c] += deviation * deviation
            out[2, c] += scaled
            out[3, c] += abs(scaled)
