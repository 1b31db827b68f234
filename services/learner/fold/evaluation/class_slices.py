"""Counts of each class in each slice of the accuracy curve: what forgetting is computed from."""

from array import array
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

SLICES = 50
"""Slices of a stream's whole length: each is 2 to 4 % of it. With twice as many, rare classes would have too few
examples in a slice for a recall; with half as many, a short collapse would be averaged away."""


class ClassSlices:
    """A table of counts, shape [classes, SLICES], that grows with the classes.

    It is flat, so that counting an example is one addition.

    >>> slices = ClassSlices()
    >>> slices.add(1, 0, 1); slices.add(1, 3, 1)
    >>> slices.halve()
    >>> slices.cells().tolist()
    [[1, 0, 1], [1, 1, 1]]
    """

    def __init__(self) -> None:
        self._cells = array("q")

    def add(self, label: int, piece: int, sign: int) -> None:
        """Count an example of a class in slice ``piece`` with 1, or take it out again with -1."""
        at = label * SLICES + piece
        try:
            self._cells[at] += sign
        except IndexError:
            self._cells.extend([0] * ((label + 1) * SLICES - len(self._cells)))
            self._cells[at] = sign

    def table(self, classes: int) -> IntArray:
        """A copy, shape [classes, SLICES]."""
        table = np.zeros((classes, SLICES), np.int64)
        known = np.frombuffer(self._cells, np.int64).reshape(-1, SLICES)[:classes]
        table[: len(known)] = known
        return table

    def halve(self) -> None:
        """Merge each two neighbouring slices into one, as the curve has become twice as long."""
        before = self.table(len(self._cells) // SLICES)
        after = np.zeros_like(before)
        after[:, : SLICES // 2] = before[:, 0::2] + before[:, 1::2]
        self._cells = array("q", after.tobytes())

    def cells(self) -> IntArray:
        """Rows (class, slice, count) of all counts that are not 0, in order; shape [cells, 3]."""
        table = self.table(len(self._cells) // SLICES)
        labels, pieces = np.nonzero(table)
        return np.column_stack([labels, pieces, table[labels, pieces]]).astype("<i8").reshape(-1, 3)

    def renumbered(self, classes: Sequence[int]) -> "ClassSlices":
        """The same with class n as ``classes[n]``."""
        cells = self.cells()
        cells[:, 0] = np.array(classes, np.int64)[cells[:, 0]]
        return ClassSlices.from_cells(cells)

    @classmethod
    def from_cells(cls, cells: IntArray) -> "ClassSlices":
        """The inverse of ``cells``."""
        self = cls()
        for label, piece, count in cells.tolist():
            self.add(label, piece, count)
        return self
