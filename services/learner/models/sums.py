"""The sums that streaming discriminants are made of: counts, class totals, second moment, or the examples so far."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import rank_update
from prequel.services.learner.kernels.scores import fade, pack, unpack
from prequel.services.learner.models.base import Vector
from prequel.services.learner.models.classes import grown

Array = npt.NDArray[np.float64]

ROWS = 64
"""How many examples wait until they are added to the second moment in one blocked product."""


class Sums:
    """Per class the number and total of its examples, and the second moment of all, in float64.

    While there are few examples they are kept as they are, which takes less room than their second moment: as long as
    they are no more than ``kept``. Past that the newest wait in ``pending``, and are added to it in blocks. When that
    happens is decided by the number of examples alone.

    Examples can be taken out again, up to rounding, and sums of two streams added. With ``fading`` below 1 all sums
    shrink by that factor with each example, and none is kept.
    """

    def __init__(self, dim: int, fading: float = 1.0) -> None:
        self.dim, self.fading = dim, fading
        # Half as many examples as features take half the room of a packed second moment; to solve them from their
        # inner products takes as long as to solve the moment: with twice as many it would take four times as long.
        self.kept = dim // 2 if fading == 1.0 else 0
        self.counts, self.totals = np.zeros(2), np.zeros((2, dim))
        self.pending, self.signs, self.filled = np.zeros((0, dim), np.float32), np.ones(ROWS), 0
        self.owners = np.zeros(0, np.int64)
        """The classes of the pending examples."""
        self._second: Array | None = None
        if not self.kept:
            self.condense()

    @property
    def count(self) -> float:
        """How many examples there are."""
        return float(self.counts.sum())

    @property
    def few(self) -> bool:
        """Whether all examples are in ``pending``, none in the second moment."""
        return self._second is None

    @property
    def room(self) -> int:
        """How many examples may come before the next ``settle``."""
        return (self.kept if self.few else ROWS) - self.filled

    @property
    def second(self) -> Array:
        """The sum of outer products, [dim, dim] in Fortran order, lower triangle; without the pending examples."""
        assert self._second is not None
        return self._second

    @property
    def size(self) -> int:
        """Bytes of the examples or of their second moment, as ``arrays`` has them."""
        of_moment = 0 if self.few else 4 * self.dim * (self.dim + 1)
        return of_moment + self.filled * (4 * self.dim + 8)

    def grow(self, classes: int) -> None:
        self.counts, self.totals = grown(self.counts, classes), grown(self.totals, classes)

    def reserve(self, examples: int) -> None:
        """Memory for so many more pending ones, no more than there is ``room`` for."""
        needed = self.filled + min(examples, self.room)
        if needed > len(self.pending):
            size = min(max(needed, 2 * len(self.pending)), self.filled + self.room)
            self.pending = _resized(self.pending, size)
            self.owners = _resized(self.owners, size)

    def take_out(self, x: Vector, target: int) -> None:
        """Undo the learning of one example."""
        self.counts[target] -= 1.0
        self.totals[target] -= x
        if self.few and self._strike(x, target):
            return
        self.condense()
        self.pending[self.filled], self.signs[self.filled], self.owners[self.filled] = x, -1.0, target
        self.filled += 1

    def _strike(self, x: Vector, target: int) -> bool:
        """Take the newest such example out of those that are kept; False where there is none."""
        same = (self.owners[: self.filled] == target) & (self.pending[: self.filled] == x).all(axis=1)
        if not same.any():
            return False
        at = int(np.flatnonzero(same)[-1])
        for array in (self.pending, self.owners):
            array[at : self.filled - 1] = array[at + 1 : self.filled].copy()
        self.filled -= 1
        return True

    def settle(self) -> None:
        """Add the pending examples to the second moment, unless they are few enough to be kept."""
        if not self.few:
            self._add()
        elif not self.room:
            self.condense()

    def condense(self) -> None:
        """Make the second moment of the examples that were kept until now."""
        if self.few:
            self._second = np.zeros((self.dim, self.dim), order="F")
            if self.filled:
                rank_update(self._second, self.rows(), scale=1.0, keep=1.0)
            self.pending, self.owners, self.filled = np.zeros((ROWS, self.dim), np.float32), np.zeros(ROWS, np.int64), 0

    def rows(self) -> Array:
        """The pending examples in float64."""
        return self.pending[: self.filled].astype(np.float64)

    def _add(self) -> None:
        if not self.filled:
            return
        ages = np.arange(self.filled - 1, -1, -1)
        rows = self.pending[: self.filled] * np.sqrt(self.fading**ages)[:, None]
        kept = self.fading**self.filled
        for sign in (1.0, -1.0):
            chosen = rows[self.signs[: self.filled] == sign]
            if len(chosen):
                rank_update(self.second, chosen, scale=sign, keep=kept)
                kept = 1.0
        self.filled, self.signs[:] = 0, 1.0

    def fade(self, keep: float) -> None:
        """Let all that was learned so far weigh ``keep`` of what it did."""
        self.condense()
        self._add()
        fade(self.counts, self.totals, keep)
        self._second = self.second * keep

    def merge(self, other: "Sums", numbers: npt.NDArray[np.int64]) -> None:
        """Add the sums of another stream, whose class i is our class ``numbers[i]``."""
        other = deepcopy(other)  # Settled out of turn, its own later blocks would begin elsewhere.
        for each in (self, other):
            each.condense()
            each._add()
        size = len(numbers)
        self.counts[numbers] += other.counts[:size]
        self.totals[numbers] += other.totals[:size]
        self._second = self.second + other.second

    def arrays(self, classes: int) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything, the second moment, where there is one, as a packed triangle."""
        found: dict[str, npt.NDArray[Any]] = {
            "counts": self.counts[:classes].copy(),
            "totals": self.totals[:classes].copy(),
            "pending": self.pending[: self.filled].copy(),
        }
        if self.few:
            return found | {"owners": self.owners[: self.filled].copy()}
        packed = np.empty(self.dim * (self.dim + 1) // 2)
        pack(self.second, packed)
        return found | {"second": packed, "signs": self.signs[: self.filled].copy()}

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.counts, self.totals = arrays["counts"].copy(), arrays["totals"].copy()
        if "second" in arrays:
            self.condense()
            unpack(arrays["second"], self.second)
        self.filled = 0
        self.reserve(len(arrays["pending"]))
        self.filled = len(arrays["pending"])
        self.pending[: self.filled] = arrays["pending"]
        if self.few:
            self.owners[: self.filled] = arrays["owners"]
        else:
            self.signs[: self.filled] = arrays["signs"]


def _resized(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    larger = np.zeros((rows, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
