"""When the champion should abstain: too low a probability, or too far from every class."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.shared.vectors import Vector

MIN_EXAMPLES = 5
"""Examples that a class needs before its variance is used: that of fewer says nothing. With twice as many, a new class
would be far from everything for twice as long."""

FloatArray = npt.NDArray[np.float64]


class Novelty:
    """Two tests of an example against what was learned; a threshold of 0 switches one off.

    ``probability`` (0 to 1): unknown where the champion's largest probability is below it. ``distance``: unknown where
    the squared distance to every class mean is more than so many times that class's own variance. The class means and
    variances are computed from sums (counts, totals, squared norms), so that a correction is exact.

    >>> novelty = Novelty(probability=0.0, distance=4.0)
    >>> for value in (0.9, 1.0, 1.1, 0.8, 1.2):
    ...     novelty.learn(np.array([value], np.float32), label=0)
    >>> prediction = ModelPrediction([0], [1.0], known=1)
    >>> [novelty.unknown(np.array([value], np.float32), prediction) for value in (1.05, 3.0)]
    [False, True]
    """

    def __init__(self, probability: float, distance: float) -> None:
        self.probability, self.distance = probability, distance
        self.since = 0
        """How many examples had been scored when the sums began: a label that was learned before is not in them."""
        self._counts: FloatArray = np.zeros(0)
        self._totals: FloatArray = np.zeros((0, 0))
        self._squares: FloatArray = np.zeros(0)

    def change(self, probability: float, distance: float, scored: int) -> None:
        """Use other thresholds, after so many scored examples; the sums begin where a distance is switched on."""
        if bool(distance) != bool(self.distance):
            self.since = scored
            self._counts, self._totals, self._squares = np.zeros(0), np.zeros((0, 0)), np.zeros(0)
        self.probability, self.distance = probability, distance

    def unknown(self, x: Vector, prediction: ModelPrediction) -> bool:
        """Whether to abstain on a vector of shape [dim]; never before the champion knows a class."""
        if not prediction.classes:
            return False
        return prediction.probabilities[0] < self.probability or (self.distance > 0 and self._far(x))

    def learn(self, x: Vector, label: int, sign: int = 1) -> None:
        """Add an example to its class, or with -1 take it out."""
        if not self.distance:
            return
        if label >= len(self._counts):
            self._grow(label + 1, len(x))
        wide = x.astype(np.float64)
        # Not wide @ wide: the last bits of BLAS depend on the number of its threads.
        self._counts[label] += sign
        self._totals[label] += sign * wide
        self._squares[label] += sign * float(np.square(wide).sum())

    def spreads(self) -> tuple[FloatArray, FloatArray]:
        """The means [classes, dim] and variances [classes] of the classes that have enough examples to be far from."""
        known = self._counts >= MIN_EXAMPLES
        counts = self._counts[known]
        means = self._totals[known] / counts[:, None]
        return means, self._squares[known] / counts - (means**2).sum(axis=1)

    def _far(self, x: Vector) -> bool:
        means, variances = self.spreads()
        if not len(means):
            return False
        distances = ((means - x) ** 2).sum(axis=1)
        # Equal examples have no variance: then anything but the same is far.
        return bool((distances > self.distance * np.maximum(variances, 1e-12)).all())

    def _grow(self, classes: int, dim: int) -> None:
        more = classes - len(self._counts)
        self._counts = np.concatenate([self._counts, np.zeros(more)])
        self._squares = np.concatenate([self._squares, np.zeros(more)])
        self._totals = np.vstack([self._totals.reshape(-1, dim), np.zeros((more, dim))])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As a snapshot stores it; ``load`` is the inverse."""
        since = np.array([self.since], "<i8")
        return {"counts": self._counts, "totals": self._totals, "squares": self._squares, "since": since}

    def load(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """The inverse of ``arrays``."""
        self._counts, self._totals, self._squares = arrays["counts"], arrays["totals"], arrays["squares"]
        self.since = int(arrays["since"][0])
