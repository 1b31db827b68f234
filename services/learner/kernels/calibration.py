"""Kernels of the calibration of probabilities in the fold: a power of them, and an even share for every class."""

import math
from typing import Any

import numpy.typing as npt

from prequel.services.learner.kernels.compiled import kernel

Array = npt.NDArray[Any]

_TINY = 1e-12
"""Added to every probability before its power is taken: of a 0 no power makes anything else. A model that is sure of
every answer (1.0 and 0.0) is then as sure as ``sharpness`` says. With 1e-30, a sharpness of 1/16 would still be sure;
with 1e-6, what a good model says of its second choice would be lost."""


@kernel
def serve(raw: Array, known: int, sharpness: float, share: float, out: Array) -> None:
    """Calibrate the largest probabilities of one prediction.

    ``raw`` float32 [width] are the model's own, the largest first, of the first min(known, width) among ``known``
    classes; the others have an even share of the rest. ``out`` float32 [width] becomes (1 - share) q + share / known,
    where q are the probabilities to the power of ``sharpness``, normalised. Their order stays: rounding never puts a
    class before another one.
    """
    stored = min(known, raw.shape[0])
    rest = known - stored
    left = 1.0
    total = 0.0
    for j in range(stored):
        left -= raw[j]
    if rest > 0:
        total = rest * math.exp(sharpness * math.log(max(left, 0.0) / rest + _TINY))
    for j in range(stored):
        total += math.exp(sharpness * math.log(raw[j] + _TINY))
    for j in range(stored):
        power = math.exp(sharpness * math.log(raw[j] + _TINY))
        out[j] = (1.0 - share) * power / total + share / known
        if j > 0:
            out[j] = min(out[j], out[j - 1])
