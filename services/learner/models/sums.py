"""The sums that streaming discriminants are made of: counts, class totals, second moment, or the examples so far."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import rank_update
from prequel.services.learner.kernels.moments import pack, unpack
from prequel.services.learner.kernels.scores import fade
from prequel.services.learner.models.base import Arrays, Matrix, Vector
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.labelled_sample import LabelledSample
from prequel.services.learner.models.pending_examples import BLOCK, PendingExamples


class Sums:
    """For each class the number and total of its examples, and the second moment of all, in float64.

    While there are at most ``max_stored`` examples they are stored themselves, which takes less room than their second
    moment. After that the newest wait in ``pending``, and are added to the moment in blocks. The number of
    examples alone decides when that happens. From then on a ``LabelledSample`` keeps some of them.

    Examples can be removed again, up to rounding, and sums of two streams added. With ``fading`` below 1 all sums
    shrink by that factor with each example, and no example is stored.
    """

    def __init__(self, dim: int, fading: float = 1.0) -> None:
        self.dim, self.fading = dim, fading
        # Half as many examples as features take half the room of a packed second moment; to solve them from their
        # inner products takes as long as to solve the moment: with twice as many it would take four times as long.
        self.max_stored = dim // 2 if fading == 1.0 else 0
        self.counts, self.totals, self.pending = np.zeros(2), np.zeros((2, dim)), PendingExamples(dim)
        self._second: npt.NDArray[np.float64] | None = None
        self._sample, self._peak = LabelledSample(dim), np.zeros(dim)
        if not self.max_stored:
            self.condense()

    @property
    def count(self) -> float:
        """How many examples there are; with ``fading``, what they weigh."""
        return float(self.counts.sum())

    @property
    def stores_examples(self) -> bool:
        """Whether all examples are in ``pending``, and none in the second moment."""
        return self._second is None

    @property
    def room(self) -> int:
        """How many examples may come before the next ``settle``."""
        return (self.max_stored if self.stores_examples else BLOCK) - self.pending.filled

    @property
    def second(self) -> npt.NDArray[np.float64]:
        """The sum of outer products, [dim, dim] in Fortran order, lower triangle; without the pending examples."""
        assert self._second is not None
        return self._second

    @property
    def peak(self) -> npt.NDArray[np.float64]:
        """The largest that the second moment's diagonal has been, [dim], faded like the moment itself.

        What was added and taken away again leaves rounding errors of 1e-16 of that.
        """
        return self._peak

    @property
    def size(self) -> int:
        """Bytes of the examples, or of their second moment and the sample, as ``arrays`` has them."""
        moment = 0 if self.stores_examples else 4 * self.dim * (self.dim + 1) + self._sample.size
        return moment + self.pending.filled * (4 * self.dim + 8)

    def sample(self) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """A random sample of the settled examples, rows float32 [n, dim] and their classes int64 [n]; all if few."""
        if self.stores_examples:
            return self._pending_rows, self.classes()
        return self._sample.in_order()

    def sample_weights(self) -> npt.NDArray[np.float64]:
        """What each row of ``sample`` weighs in the sums, [n]: below 1 where they have faded since."""
        return np.ones(self.pending.filled) if self.stores_examples else self._sample.weights()

    def rows(self) -> npt.NDArray[np.float64]:
        """The pending examples [filled, dim]."""
        return self._pending_rows.astype(np.float64)

    def classes(self) -> npt.NDArray[np.int64]:
        """The classes of the pending examples [filled]."""
        return self.pending.classes[: self.pending.filled]

    def grow(self, classes: int) -> None:
        """Make room for so many classes."""
        self.counts, self.totals = grown(self.counts, classes), grown(self.totals, classes)

    def reserve(self, examples: int) -> None:
        """Make room for so many more pending examples, at most as many as ``room`` says."""
        filled, room = self.pending.filled, self.room
        self.pending.reserve(filled + min(examples, room), limit=filled + room)

    def remove(self, x: Vector, target: int) -> None:
        """Undo the learning of one example."""
        self.counts[target] -= 1.0
        self.totals[target] -= x
        if self.stores_examples and self.pending.delete(x, target):
            return
        self.condense()
        self.pending.subtract(x, target)

    def settle(self) -> None:
        """Add the pending examples to the second moment, unless they are so few that they are stored themselves."""
        if not self.stores_examples:
            self._add_block()
        elif not self.room:
            self.condense()

    def condense(self) -> None:
        """Make the second moment of the examples that were stored themselves until now."""
        if self.stores_examples:
            self._second = np.zeros((self.dim, self.dim), order="F")
            if self.pending.filled:
                rank_update(self._second, self.rows(), scale=1.0, keep=1.0)
                self._sample.update(self._pending_rows, self.classes(), np.ones(self.pending.filled), fading=1.0)
            self._peak = self._second.diagonal().copy()
            self.pending.become_block()

    def fade(self, keep: float) -> None:
        """Let all that was learned so far weigh ``keep`` of what it did."""
        self.condense()
        self._add_block()
        fade(self.counts, self.totals, keep)
        self._second, self._peak = self.second * keep, self._peak * keep
        self._sample.fade(keep)

    def merge(self, other: "Sums", numbers: npt.NDArray[np.int64]) -> None:
        """Add the sums of another stream, whose class i is class ``numbers[i]`` here. ``other`` stays as it is."""
        other = deepcopy(other)  # Settled out of turn, its own later blocks would begin elsewhere.
        for sums in (self, other):
            sums.condense()
            sums._add_block()
        size = len(numbers)
        self.counts[numbers] += other.counts[:size]
        self.totals[numbers] += other.totals[:size]
        self._second, self._peak = self.second + other.second, self._peak + other._peak
        self._sample.merge(other._sample, numbers)

    def arrays(self, classes: int) -> Arrays:
        """Copies of everything, the second moment, if there is one, as a packed triangle."""
        arrays: Arrays = {
            "counts": self.counts[:classes].copy(),
            "totals": self.totals[:classes].copy(),
            "pending": self._pending_rows.copy(),
            "owners": self.classes().copy(),
        }
        if self.stores_examples:
            return arrays
        packed = np.empty(self.dim * (self.dim + 1) // 2)
        pack(self.second, packed)
        arrays |= {"second": packed, "signs": self._pending_signs.copy(), "peak": self._peak.copy()}
        return arrays | self._sample.arrays()

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.counts, self.totals = arrays["counts"].copy(), arrays["totals"].copy()
        if "second" in arrays:
            self.condense()
            unpack(arrays["second"], self.second)
            self._peak = arrays["peak"].copy()
            self._sample.load(arrays)
        filled, self.pending.filled = len(arrays["pending"]), 0
        self.reserve(filled)
        self.pending.filled, self.pending.rows[:filled] = filled, arrays["pending"]
        self.pending.classes[:filled] = arrays["owners"]
        if not self.stores_examples:
            self.pending.signs[:filled] = arrays["signs"]

    @property
    def _pending_rows(self) -> Matrix:
        return self.pending.rows[: self.pending.filled]

    @property
    def _pending_signs(self) -> npt.NDArray[np.float64]:
        return self.pending.signs[: self.pending.filled]

    def _add_block(self) -> None:
        """Add the pending examples to the second moment, each faded by its age, and subtract those to be subtracted."""
        filled = self.pending.filled
        if not filled:
            return
        self._sample.update(self._pending_rows, self.classes(), self._pending_signs, fading=self.fading)
        ages = np.arange(filled - 1, -1, -1)
        rows = self._pending_rows * np.sqrt(self.fading**ages)[:, None]
        keep = self.fading**filled
        self._peak *= keep
        for sign in (1.0, -1.0):
            chosen = rows[self._pending_signs == sign]
            if len(chosen):
                rank_update(self.second, chosen, scale=sign, keep=keep)
                self._peak = np.maximum(self._peak, self.second.diagonal())
                keep = 1.0
        self.pending.clear()
