"""Whether the features themselves drift: a score from a few fixed projections, cheap and bounded."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.shared.vectors import Vector

PROJECTIONS = 16
"""Numbers that a vector is reduced to. With half as many, a drift in a few features is more easily missed; with twice
as many, every measured example costs twice the time."""
EVERY = 8
"""One of so many examples is measured: enough for means over hundreds, at an eighth of the time."""

FAST, SLOW = 0.05, 0.002
"""Weight of the newest measured example in the recent and in the long-run mean: about the last 20 and 500 of them,
which are 160 and 4,000 examples."""

FloatArray = npt.NDArray[np.float64]


@lru_cache(maxsize=16)
def _signs(dim: int, seed: int) -> FloatArray:
    """The projections, one for all streams of a backbone: they take more room than all else that a small stream has."""
    signs: FloatArray = (2 * np.random.default_rng(seed).integers(2, size=(PROJECTIONS, dim)) - 1) / np.sqrt(
        max(dim, 1)
    )
    signs.flags.writeable = False
    return signs


class FeatureDrift:
    """How far the recent mean of the features is from their long-run mean, in long-run standard deviations.

    ``dim`` is the size of the vectors, ``seed`` chooses the projections: 16 of random +-1 (Achlioptas,
    "Database-friendly random projections", 2003), with exponentially weighted moments of about the last 160 examples
    against the last 4,000. Noise alone gives scores of some 0.1.

    >>> drift = FeatureDrift(dim=2, seed=0)
    >>> for value in [0.0, 1.0, 0.5] * 400:
    ...     drift.update(np.array([value, value], np.float32))
    >>> before = drift.score
    >>> for _ in range(100):
    ...     drift.update(np.array([5.0, 5.0], np.float32))
    >>> before < 0.1 < 0.5 < drift.score
    True
    """

    def __init__(self, dim: int, seed: int) -> None:
        self._signs = _signs(dim, seed)
        self._seen = 0
        self._fast: FloatArray = np.zeros(PROJECTIONS)
        self._slow: FloatArray = np.zeros(PROJECTIONS)
        self._variance: FloatArray = np.zeros(PROJECTIONS)

    def update(self, x: Vector) -> None:
        """Take one example in; its shape is [dim]."""
        self._seen += 1
        if self._seen % EVERY != 1:
            return
        measured = (self._seen - 1) // EVERY + 1
        projected = np.dot(self._signs, x.astype(np.float64))
        slow, fast = max(SLOW, 1 / measured), max(FAST, 1 / measured)
        difference = projected - self._slow
        self._slow += slow * difference
        self._variance = (1 - slow) * (self._variance + slow * difference**2)
        self._fast += fast * (projected - self._fast)

    @property
    def score(self) -> float:
        """0 where nothing moves, 1 where the recent mean is a standard deviation away."""
        deviation = np.sqrt(self._variance)
        distance = np.abs(self._fast - self._slow)
        return float(np.mean(np.divide(distance, deviation, out=np.zeros_like(distance), where=deviation > 0)))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As a snapshot stores it; ``load`` is the inverse."""
        return {"moments": np.stack([self._fast, self._slow, self._variance]), "seen": np.array([self._seen], "<i8")}

    def load(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """The inverse of ``arrays``."""
        self._fast, self._slow, self._variance = arrays["moments"].copy()
        self._seen = int(arrays["seen"][0])
