"""Folds nearly equal images of a queue together: whoever labels should see one of them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.vector_blocks import Rows, VectorBlocks
from prequel.services.learner.opinions.window_rows import WindowRows, vectors

NEAR = 0.03
"""Images are nearly equal whose squared distance is below this share of that of two images at random. Of photographs,
one that was stored again at JPEG quality 30 is at 0.006 to 0.03 of another, at half the size at 0.003, 20 % brighter at
0.03; the nearest other photograph is at 0.3. Of handwritten digits one in a hundred has a neighbour that near."""
PART = 8
"""Distances are first measured over one feature in so many: what is far by these is far. Nine in ten pairs are, and the
eighth part takes an eighth of the time; of a sixteenth, twice as many would have to be measured again."""
SAMPLE = 256
"""Images by which it is found how far two at random are from one another: known to some percent then."""

BATCH = 64
"""Examples whose distances to all others are computed at once: as many numbers as all others have features."""

Places = npt.NDArray[np.int64]


class Group(NamedTuple):
    """The places of an example in the order of a queue, and of those that are nearly equal to it and come later."""

    first: int
    others: list[int]


def typical_square(xs: Rows) -> float:
    """The squared distance of two of the rows at random, twice the variance."""
    if not len(xs):
        return 0.0
    return 2.0 * float(np.square(xs - xs.mean(axis=0)).sum(axis=1, dtype=np.float64).mean())


class Folding:
    """Groups the examples ``rows``, which are in a queue's order, as far as somebody has asked."""

    def __init__(self, rows: WindowRows, blocks: VectorBlocks, kinds: Places) -> None:
        """Only examples of the same of ``kinds`` [n] are folded together."""
        self._rows, self._blocks, self._kinds = rows, blocks, kinds
        self._free = np.ones(len(rows.slots), np.bool_)
        self._next = 0
        self.groups: list[Group] = []
        sample = rows.chosen(np.linspace(0, len(rows.slots) - 1, min(SAMPLE, len(rows.slots))).astype(np.int64))
        self.near = NEAR * typical_square(vectors(sample, blocks)[0])

    def take_through(self, begin: int, count: int) -> None:
        """Make all groups that begin before the place ``begin``, and ``count`` more, if there are as many."""
        while self._next < len(self._free):
            more = count - sum(group.first >= begin for group in self.groups)
            if more <= 0:
                return
            self._fold_next(more if self._next >= begin else min(begin - self._next, BATCH))

    def _fold_next(self, count: int) -> None:
        """Take the next ``count`` that are in no group yet, and find who belongs to each."""
        firsts = self._next + np.flatnonzero(self._free[self._next :])[: min(count, BATCH)]
        self._next = int(firsts[-1]) + 1 if len(firsts) else len(self._free)
        if not len(firsts):
            return
        xs, _ = vectors(self._rows.chosen(firsts), self._blocks)
        close = self._close(xs)
        for first, near in zip(firsts.tolist(), close, strict=True):
            if self._free[first]:
                self._free[first] = False
                others = np.flatnonzero(near & self._free & (self._kinds == self._kinds[first]))
                self._free[others] = False
                self.groups.append(Group(first, others.tolist()))

    def _close(self, xs: Rows) -> npt.NDArray[np.bool_]:
        """Which of the rows are nearly equal to each of ``xs`` [m, dim]: [m, n]."""
        part = max(1, self._blocks.dim // PART)
        close = self._blocks.partial_distances(xs, part)[:, self._rows.slots] <= self.near
        candidates = np.flatnonzero(close.any(axis=0))
        rows, _ = vectors(self._rows.chosen(candidates), self._blocks)
        squares = np.einsum("ij,ij->i", rows, rows) - 2.0 * (xs @ rows.T) + np.einsum("ij,ij->i", xs, xs)[:, None]
        close[:, candidates] &= squares <= self.near
        return close
