"""Counts of each class in each slice of the accuracy curve: what forgetting is read off."""

from array import array
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

SLICES = 50


class Slices:
    """A table [classes, SLICES] that grows with the classes; flat, so that counting is one addition."""

    def __init__(self) -> None:
        self._cells = array("q")

    def add(self, label: int, at: int, sign: int) -> None:
        place = label * SLICES + at
        try:
            self._cells[place] += sign
        except IndexError:
            self._cells.extend([0] * ((label + 1) * SLICES - len(self._cells)))
            self._cells[place] = sign

    def table(self, classes: int) -> Numbers:
        """A copy, of so many classes."""
        found = np.zeros((classes, SLICES), np.int64)
        known = np.frombuffer(self._cells, np.int64).reshape(-1, SLICES)[:classes]
        found[: len(known)] = known
        return found

    def halve(self) -> None:
        """Two slices become one."""
        before = self.table(len(self._cells) // SLICES)
        after = np.zeros_like(before)
        after[:, : SLICES // 2] = before[:, 0::2] + before[:, 1::2]
        self._cells = array("q", after.tobytes())

    def cells(self) -> Numbers:
        """Rows (class, slice, count) of all that are not 0, in order."""
        table = self.table(len(self._cells) // SLICES)
        labels, at = np.nonzero(table)
        return np.column_stack([labels, at, table[labels, at]]).astype("<i8").reshape(-1, 3)

    def renumbered(self, classes: Sequence[int]) -> "Slices":
        """Class n is ``classes[n]`` in it."""
        cells = self.cells()
        cells[:, 0] = np.array(classes, np.int64)[cells[:, 0]]
        return Slices.from_cells(cells)

    @classmethod
    def from_cells(cls, cells: Numbers) -> "Slices":
        self = cls()
        for label, at, count in cells.tolist():
            self.add(label, at, count)
        return self
