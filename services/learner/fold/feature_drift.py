"""Whether the features themselves move: a score from a few fixed projections, cheap and bounded."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.shared.vectors import Vector

PROJECTIONS = 16
EVERY = 8
"""Of so many examples one is looked at."""

FAST, SLOW = 0.05, 0.002

Array = npt.NDArray[np.float64]


@lru_cache(maxsize=16)
def _signs(dim: int, seed: int) -> Array:
    """The projections, one for all streams of a backbone: they take more room than all else that a small stream has."""
    signs: Array = (2 * np.random.default_rng(seed).integers(2, size=(PROJECTIONS, dim)) - 1) / np.sqrt(max(dim, 1))
    signs.flags.writeable = False
    return signs


class FeatureDrift:
    """How far the recent mean of the features has moved from their long-run mean, in long-run standard deviations.

    On 16 random +-1 projections (Achlioptas, "Database-friendly random projections", 2003) with exponentially
    weighted moments: of about the last 160 examples against the last 4,000. Noise alone gives scores of some 0.1.
    """

    def __init__(self, dim: int, seed: int) -> None:
        self._signs = _signs(dim, seed)
        self._seen = 0
        self._fast: Array = np.zeros(PROJECTIONS)
        self._slow: Array = np.zeros(PROJECTIONS)
        self._variance: Array = np.zeros(PROJECTIONS)

    def look(self, x: Vector) -> None:
        """Take one example in; its shape is [dim]."""
        self._seen += 1
        if self._seen % EVERY != 1:
            return
        looked = (self._seen - 1) // EVERY + 1
        projected = np.dot(self._signs, x.astype(np.float64))
        slow, fast = max(SLOW, 1 / looked), max(FAST, 1 / looked)
        apart = projected - self._slow
        self._slow += slow * apart
        self._variance = (1 - slow) * (self._variance + slow * apart**2)
        self._fast += fast * (projected - self._fast)

    @property
    def score(self) -> float:
        spread = np.sqrt(self._variance)
        apart = np.abs(self._fast - self._slow)
        return float(np.mean(np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0)))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"moments": np.stack([self._fast, self._slow, self._variance]), "seen": np.array([self._seen], "<i8")}

    def load(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._fast, self._slow, self._variance = arrays["moments"].copy()
        self._seen = int(arrays["seen"][0])
