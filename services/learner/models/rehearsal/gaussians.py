"""`replay=gaussian`: dummy examples drawn from the mean and variance of every feature by class."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Arrays, Matrix, Vector
from prequel.services.learner.models.rehearsal.memory import Recalled, nothing_recalled

_MAX_FLOAT = float(np.finfo(np.float32).max)
_MAX_RESIDUAL = 10
"""Residuals are cut off there: a single outlier would otherwise be all that a network learns from a batch."""


class GaussianMemory:
    """Mean and variance of every feature by class: dummy examples are drawn from them, no real one is stored."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._counts = np.zeros(0)
        self._means = np.zeros((0, dim))
        self._squares = np.zeros((0, dim))

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None:
        """Welford's update (Technometrics 4, 1962)."""
        more = label + 1 - len(self._counts)
        if more > 0:
            self._counts = np.concatenate([self._counts, np.zeros(more)])
            self._means = np.vstack([self._means, np.zeros((more, self._dim))])
            self._squares = np.vstack([self._squares, np.zeros((more, self._dim))])
        self._counts[label] += 1
        difference = x - self._means[label]
        self._means[label] += difference / self._counts[label]
        self._squares[label] += difference * (x - self._means[label])

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        present = np.flatnonzero(self._counts)
        if not present.size:
            return nothing_recalled(self._dim)
        classes = present[random.integers(present.size, size=count)]
        return Recalled(self.features(random.standard_normal((count, self._dim)), classes), classes)

    def residuals(self, xs: Matrix, classes: npt.NDArray[np.int64]) -> Matrix:
        """How far each example is from the mean of its class, in that class's deviations: -10 to 10, [n, dim]."""
        spread = self._spread(classes)
        difference = xs - self._means[classes]
        shares = np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)
        return np.asarray(np.clip(shares, -_MAX_RESIDUAL, _MAX_RESIDUAL), np.float32)

    def features(self, residuals: npt.NDArray[Any], classes: npt.NDArray[np.int64]) -> Matrix:
        """The examples [n, dim] that have these residuals: the inverse, up to the limits of both."""
        drawn = self._means[classes] + self._spread(classes) * residuals
        return np.asarray(np.clip(drawn, -_MAX_FLOAT, _MAX_FLOAT), np.float32)

    def _spread(self, classes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.sqrt(self._squares[classes] / self._counts[classes, None]))

    def arrays(self) -> Arrays:
        return {"counts": self._counts.copy(), "means": self._means.copy(), "squares": self._squares.copy()}

    def load(self, arrays: Arrays) -> None:
        self._counts, self._means = arrays["counts"].copy(), arrays["means"].copy()
        self._squares = arrays["squares"].copy()
