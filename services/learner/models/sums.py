"""The sums that streaming discriminants are made of: counts, class totals, second moment, or the examples so far."""

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import rank_update
from prequel.services.learner.kernels.moments import add, pack, unpack
from prequel.services.learner.kernels.scores import fade
from prequel.services.learner.models.base import Arrays, Matrix, Vector
from prequel.services.learner.models.block_product import BlockProduct
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.labelled_sample import LabelledRows, LabelledSample
from prequel.services.learner.models.pending_examples import BLOCK, PendingExamples

_MAX_STEP_OF_FADING = 0.64
"""Weights fade in steps of at most about this share (as a sum of the examples' own, which is 0.47 compounded). With a
step for each example, the product of a block could not be shared by several fadings; with half of it, not by `decay` up
to 0.005; with twice as much, a solve just after a step would miss most of what a short memory holds."""
_NOTHING = 1e-12
"""Of the most that all examples can weigh, the share below which what a correction leaves of a class is rounding: of
weights that have faded, each leaves some 1e-16. With 1e-15, a class without a label could still be the most probable
one; with 1e-9, one that was away for 14,000 examples (`decay=0.001`) would lose its last ones with a correction."""


class Sums:
    """For each class the number and total of its examples, and the second moment of all, in float64.

    While there are at most ``max_stored`` examples they are stored themselves, which takes less room than their second
    moment. After that the newest wait in ``pending``, and are added to the moment in blocks. The number of
    examples alone decides when that happens. From then on a ``LabelledSample`` keeps some of them.

    Examples can be removed again, up to rounding, and sums of two streams added. With ``fading`` below 1 all sums
    shrink by that factor with each example: in steps, at every ``period``-th one, so that what an example weighs is
    known from its age (``weight``).
    """

    def __init__(self, dim: int, fading: float = 1.0) -> None:
        self.dim, self.fading = dim, fading
        self.period = BLOCK if fading == 1.0 else max(1, min(BLOCK, round(_MAX_STEP_OF_FADING / (1.0 - fading))))
        """After how many examples all weights fade; at most a block, in which all then weigh the same."""
        self.keep = fading**self.period
        """What is left of each weight then."""
        # Half as many examples as features take half the room of a packed second moment; to solve them from their
        # inner products takes as long as to solve the moment: with twice as many it would take four times as long.
        self.max_stored = dim // 2
        self.counts, self.totals, self.pending = np.zeros(2), np.zeros((2, dim)), PendingExamples(dim)
        self.learned = 0
        """Examples learned in their turn, whatever they weigh by now: the time in which weights fade."""
        self.kept = np.ones(1)
        """What is left of the weights of settled examples since they were settled."""
        self.shared_product: BlockProduct | None = None
        """Where other sums look for the product of the same block; None where there are no others."""
        self.derived: object = None
        """What a solver made of the rows and their weights, whatever their classes are; None once they change."""
        self._second: npt.NDArray[np.float64] | None = None
        self._sample, self._peak = LabelledSample(dim), np.zeros(dim)
        if not self.max_stored:
            self.condense()

    @property
    def count(self) -> float:
        """How many examples there are; with ``fading``, what they weigh."""
        # Exactly rounded: NumPy's order of additions depends on how much room the array has, which depends on how many
        # classes came in one batch.
        return math.fsum(self.counts)

    @property
    def stores_examples(self) -> bool:
        """Whether all examples are in ``pending``, and none in the second moment."""
        return self._second is None

    @property
    def room(self) -> int:
        """How many examples may be learned until they are added to the second moment.

        Blocks end where the number of learned examples is a multiple of BLOCK, whatever was settled or corrected
        between: so that weights do not fade within a block, and blocks of several sums are the same.
        """
        if self.stores_examples:
            return self.max_stored - self.pending.filled
        return min(BLOCK - self.pending.filled, BLOCK - self.learned % BLOCK)

    @property
    def second(self) -> npt.NDArray[np.float64]:
        """The sum of outer products, [dim, dim] in Fortran order, lower triangle; without the pending examples.

        It is to be multiplied by ``kept``.
        """
        assert self._second is not None
        return self._second

    @property
    def peak(self) -> npt.NDArray[np.float64]:
        """The largest that the second moment's diagonal has been, [dim], faded like the moment itself.

        What was added and taken away again leaves rounding errors of 1e-16 of that.
        """
        return self._peak * self.kept

    @property
    def size(self) -> int:
        """Bytes of the examples, or of their second moment and the sample, as ``arrays`` has them."""
        moment = 0 if self.stores_examples else 4 * self.dim * (self.dim + 1) + self._sample.size
        return moment + self.pending.filled * (4 * self.dim + 16)

    @property
    def full_size(self) -> int:
        """Bytes of the second moment, which takes the place of the examples once there are enough of them."""
        return 4 * self.dim * (self.dim + 1)

    def scatter(self) -> npt.NDArray[np.float64]:
        """A copy of the second moment with the pending examples in it."""
        matrix = self.second.copy(order="F")
        self._add_pending(matrix)
        return matrix

    def sample(self) -> LabelledRows:
        """A random sample of the settled examples; all if few."""
        if self.stores_examples:
            return LabelledRows(self._pending_rows, self.classes(), self.weights())
        sample = self._sample.in_order()
        return sample._replace(weights=sample.weights * self.kept)

    def rows(self) -> npt.NDArray[np.float64]:
        """The pending examples [filled, dim]."""
        return self._pending_rows.astype(np.float64)

    def classes(self) -> npt.NDArray[np.int64]:
        """The classes of the pending examples [filled]."""
        return self.pending.classes[: self.pending.filled]

    def weights(self) -> npt.NDArray[np.float64]:
        """What the pending examples weigh [filled]."""
        return self.pending.weights[: self.pending.filled]

    def weight(self, age: int) -> float:
        """What an example weighs after which ``age`` others were learned in their turn."""
        at = self.learned - 1 - age
        return float(self.keep ** ((self.learned - 1) // self.period - at // self.period))

    def weights_at(self, ages: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """``weight`` of each of ``ages`` [n]."""
        steps = (self.learned - 1) // self.period - (self.learned - 1 - ages) // self.period
        weights: npt.NDArray[np.float64] = np.power(float(self.keep), steps, dtype=np.float64)
        return weights

    def independent(self) -> "Sums":
        """A copy to work on, without what other models look for here or a solver has made of it."""
        left_out = {id(self.derived): None, id(self.shared_product): None}
        return deepcopy(self, left_out)

    def grow(self, classes: int) -> None:
        """Make room for so many classes."""
        self.counts, self.totals = grown(self.counts, classes), grown(self.totals, classes)

    def reserve(self, examples: int) -> None:
        """Make room for so many more pending examples, at most as many as ``room`` says."""
        filled, room = self.pending.filled, self.room
        self.pending.reserve(filled + min(examples, room), limit=filled + room)

    def correct(self, x: Vector, old: int | None, new: int | None, weight: float) -> None:
        """Put an example of that weight from class ``old`` (None: from nowhere) into ``new`` (None: nowhere)."""
        for target, change in ((old, -weight), (new, weight)):
            if target is not None:
                self.counts[target] += change
                self.totals[target] += change * x.astype(np.float64)
        if old is not None and self.counts[old] < _NOTHING * self._most:
            self.counts[old], self.totals[old] = 0.0, 0.0
        if old is None:
            if new is not None:
                self._append(x, new, weight)
            return
        at = self.pending.find(x, old)
        if at < 0:
            self.condense()
            self._sample.relabel(x, old, new)
            if new is None:
                self._append(x, old, -weight)
        elif new is None:
            self.pending.delete(at)
            self.derived = None
        else:  # The second moment is that of all classes together.
            self.pending.classes[at] = new

    def advance(self, examples: int) -> None:
        """So many examples have been learned in their turn, as the last pending ones: at a block's end, settle them."""
        self.pending.filled += examples
        self.learned += examples
        self.derived = None
        if not self.room or self.learned % BLOCK == 0:
            self.settle()

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
                rank_update(self._second, self.pending.weighted(1.0), scale=1.0, keep=1.0)
                self._add_to_sample()
            self._peak, self.kept[:] = self._second.diagonal().copy(), 1.0
            self.pending.become_block()
            self.derived = None

    def fade(self, keep: float) -> None:
        """Let all that was learned so far weigh ``keep`` of what it did."""
        fade(self.counts, self.totals, keep)
        self.pending.weights[: self.pending.filled] *= keep
        self.kept *= keep
        self._sample.fade(keep)
        self.derived = None

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
        self.derived = None

    def arrays(self, classes: int) -> Arrays:
        """Copies of everything, the second moment, if there is one, as a packed triangle."""
        arrays: Arrays = {
            "counts": self.counts[:classes].copy(),
            "totals": self.totals[:classes].copy(),
            "pending": self._pending_rows.copy(),
            "owners": self.classes().copy(),
            "shares": self.weights().copy(),
            "clock": np.array([self.learned, *self.kept]),
        }
        if self.stores_examples:
            return arrays
        packed = np.empty(self.dim * (self.dim + 1) // 2)
        pack(self.second, packed)
        return arrays | {"second": packed, "peak": self._peak.copy()} | self._sample.arrays()

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
        self.pending.classes[:filled], self.pending.weights[:filled] = arrays["owners"], arrays["shares"]
        self.learned, self.kept = int(arrays["clock"][0]), arrays["clock"][1:].copy()
        self.derived = None

    @property
    def _most(self) -> float:
        """More than all examples can weigh."""
        return self.learned if self.keep == 1.0 else min(self.learned, self.period / (1.0 - self.keep))

    @property
    def _pending_rows(self) -> Matrix:
        return self.pending.rows[: self.pending.filled]

    def _append(self, x: Vector, target: int, weight: float) -> None:
        self.reserve(1)
        self.pending.append(x, target, weight)
        self.derived = None
        if not self.room:
            self.settle()

    def _add_block(self) -> None:
        """Add the pending examples to the second moment, and some of them to the sample."""
        if not self.pending.filled:
            return
        self._add_to_sample()
        if self.shared_product is not None and (self.weights() == 1.0).all():
            add(self.second, self.shared_product.of(self.rows()), *self.kept)
        else:
            self._add_pending(self.second)
        self._peak = np.maximum(self.peak, self.second.diagonal())
        self.pending.filled, self.kept[:], self.derived = 0, 1.0, None

    def _add_to_sample(self) -> None:
        added = self.weights() > 0.0
        rows = LabelledRows(self._pending_rows[added], self.classes()[added], self.weights()[added])
        self._sample.update(rows, keep=float(self.kept[0]), fading=self.fading)

    def _add_pending(self, matrix: npt.NDArray[np.float64]) -> None:
        """Make the settled examples weigh what they do now, and add the pending ones."""
        keep = float(self.kept[0])
        for sign in (1.0, -1.0):
            rows = self.pending.weighted(sign)
            if len(rows) or keep != 1.0:
                rank_update(matrix, rows, scale=sign, keep=keep)
                keep = 1.0
