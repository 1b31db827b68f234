"""When the champion had better say that it does not know: too low a probability, or too far from every class."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.predictions import Guess
from prequel.shared.vectors import Vector

LEAST_EXAMPLES = 5
"""Examples of a class before its spread says anything."""

Array = npt.NDArray[np.float64]


class Novelty:
    """Two tests of an example against what was learned; a threshold of 0 switches one off.

    ``probability``: unknown where the champion's largest probability is below it. ``distance``: unknown where the
    squared distance to every class mean is more than so many times that class's own variance. The class means and
    variances are sums (counts, totals, squared norms), so that a correction is exact.
    """

    def __init__(self, probability: float, distance: float) -> None:
        self._probability, self._distance = probability, distance
        self.since = 0
        """How many examples had been scored when the sums began: a label that was learned before is not in them."""
        self._counts: Array = np.zeros(0)
        self._totals: Array = np.zeros((0, 0))
        self._squares: Array = np.zeros(0)

    def change(self, probability: float, distance: float, scored: int) -> None:
        """Other thresholds from here on, after so many scored examples; the sums begin where there is a distance."""
        if bool(distance) != bool(self._distance):
            self.since = scored
            self._counts, self._totals, self._squares = np.zeros(0), np.zeros((0, 0)), np.zeros(0)
        self._probability, self._distance = probability, distance

    def unknown(self, x: Vector, guess: Guess) -> bool:
        """Whether to abstain; never before the champion knows a class."""
        if not guess.classes:
            return False
        return guess.probabilities[0] < self._probability or (self._distance > 0 and self._far(x))

    def learn(self, x: Vector, label: int, sign: int = 1) -> None:
        """Add an example to its class, or with -1 take it out."""
        if not self._distance:
            return
        if label >= len(self._counts):
            self._grow(label + 1, len(x))
        wide = x.astype(np.float64)
        # Not wide @ wide: the last bits of BLAS depend on the number of its threads.
        self._counts[label] += sign
        self._totals[label] += sign * wide
        self._squares[label] += sign * float(np.square(wide).sum())

    def _far(self, x: Vector) -> bool:
        settled = self._counts >= LEAST_EXAMPLES
        if not settled.any():
            return False
        counts = self._counts[settled]
        means = self._totals[settled] / counts[:, None]
        variances = self._squares[settled] / counts - (means**2).sum(axis=1)
        distances = ((means - x) ** 2).sum(axis=1)
        return bool((distances > self._distance * np.maximum(variances, 1e-12)).all())

    def _grow(self, classes: int, dim: int) -> None:
        more = classes - len(self._counts)
        self._counts = np.concatenate([self._counts, np.zeros(more)])
        self._squares = np.concatenate([self._squares, np.zeros(more)])
        self._totals = np.vstack([self._totals.reshape(-1, dim), np.zeros((more, dim))])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        since = np.array([self.since], "<i8")
        return {"counts": self._counts, "totals": self._totals, "squares": self._squares, "since": since}

    def load(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._counts, self._totals, self._squares = arrays["counts"], arrays["totals"], arrays["squares"]
        self.since = int(arrays["since"][0])
