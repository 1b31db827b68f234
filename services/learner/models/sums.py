"""The sums that streaming discriminants are made of: counts, class totals, second moment."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from services.learner.models.classes import grown
from services.learner.models.lapack import rank_update
from services.learner.models.model import Vector
from services.learner.models.score_kernels import fade, pack, unpack

Array = npt.NDArray[np.float64]

ROWS = 64
"""How many examples wait until they are added to the second moment in one blocked product."""


class Sums:
    """Per class the number and total of its examples, and the second moment of all, in float64.

    Examples can be taken out again, up to rounding, and sums of two streams added. With ``fading`` below 1 all sums
    shrink by that factor with each example. The newest examples wait in ``pending``; when they are added is decided
    by the number of examples alone.
    """

    def __init__(self, dim: int, fading: float = 1.0) -> None:
        self.dim, self.fading = dim, fading
        self.counts, self.totals = np.zeros(2), np.zeros((2, dim))
        self.pending, self.signs, self.filled = np.zeros((ROWS, dim), np.float32), np.ones(ROWS), 0
        self._second: Array = np.zeros((dim, dim), order="F")

    @property
    def count(self) -> float:
        """How many examples there are."""
        return float(self.counts.sum())

    @property
    def second(self) -> Array:
        """The sum of outer products, [dim, dim] in Fortran order, lower triangle; without the pending examples."""
        return self._second

    def grow(self, classes: int) -> None:
        self.counts, self.totals = grown(self.counts, classes), grown(self.totals, classes)

    def take_out(self, x: Vector, target: int) -> None:
        """Undo the learning of one example."""
        self.counts[target] -= 1.0
        self.totals[target] -= x
        self.pending[self.filled], self.signs[self.filled] = x, -1.0
        self.filled += 1

    def settle(self) -> None:
        """Add the pending examples to the second moment."""
        if not self.filled:
            return
        ages = np.arange(self.filled - 1, -1, -1)
        rows = self.pending[: self.filled] * np.sqrt(self.fading**ages)[:, None]
        kept = self.fading**self.filled
        for sign in (1.0, -1.0):
            chosen = rows[self.signs[: self.filled] == sign]
            if len(chosen):
                rank_update(self._second, chosen, scale=sign, keep=kept)
                kept = 1.0
        self.filled, self.signs[:] = 0, 1.0

    def fade(self, keep: float) -> None:
        """Let all that was learned so far weigh ``keep`` of what it did."""
        self.settle()
        fade(self.counts, self.totals, keep)
        self._second *= keep

    def merge(self, other: "Sums", numbers: npt.NDArray[np.int64]) -> None:
        """Add the sums of another stream, whose class i is our class ``numbers[i]``."""
        self.settle()
        other = deepcopy(other)  # Settled out of turn, its own later blocks would begin elsewhere.
        other.settle()
        size = len(numbers)
        self.counts[numbers] += other.counts[:size]
        self.totals[numbers] += other.totals[:size]
        self._second += other.second

    def arrays(self, classes: int) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything, the second moment as a packed triangle."""
        packed = np.empty(self.dim * (self.dim + 1) // 2)
        pack(self._second, packed)
        return {
            "counts": self.counts[:classes].copy(),
            "totals": self.totals[:classes].copy(),
            "second": packed,
            "pending": self.pending[: self.filled].copy(),
            "signs": self.signs[: self.filled].copy(),
        }

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.counts, self.totals = arrays["counts"].copy(), arrays["totals"].copy()
        self.filled = len(arrays["pending"])
        self.pending[: self.filled], self.signs[: self.filled] = arrays["pending"], arrays["signs"]
        unpack(arrays["second"], self._second)
