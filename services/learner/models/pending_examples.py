"""The examples that wait to be added to a second moment, or are too few for one."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Vector

BLOCK = 64
"""How many examples wait until they are added to the second moment in one product of matrices. Adding them one by one
would read and write the whole moment each time; twice as many would double the rows that a snapshot holds beside it."""


class PendingExamples:
    """Rows float32 [>= filled, dim], their classes int64, and their signs float64: -1 for one that is to be subtracted.

    The first ``filled`` of each count. The kernels write rows and classes themselves, and add to ``filled`` after it.
    """

    def __init__(self, dim: int) -> None:
        self.rows, self.classes = np.zeros((0, dim), np.float32), np.zeros(0, np.int64)
        self.signs, self.filled = np.ones(BLOCK), 0

    def reserve(self, filled: int, limit: int) -> None:
        """Memory for ``filled`` examples, or twice what there is, at most ``limit``."""
        if filled > len(self.rows):
            capacity = min(max(filled, 2 * len(self.rows)), limit)
            self.rows, self.classes = _resized(self.rows, capacity), _resized(self.classes, capacity)

    def subtract(self, x: Vector, target: int) -> None:
        """Append an example that is to be taken out of the second moment."""
        self.rows[self.filled], self.signs[self.filled], self.classes[self.filled] = x, -1.0, target
        self.filled += 1

    def delete(self, x: Vector, target: int) -> bool:
        """Delete the newest example that equals this one; False if there is none."""
        equal = (self.classes[: self.filled] == target) & (self.rows[: self.filled] == x).all(axis=1)
        if not equal.any():
            return False
        at = int(np.flatnonzero(equal)[-1])
        for array in (self.rows, self.classes):
            array[at : self.filled - 1] = array[at + 1 : self.filled].copy()
        self.filled -= 1
        return True

    def clear(self) -> None:
        """Forget all; keep the memory."""
        self.filled, self.signs[:] = 0, 1.0

    def become_block(self) -> None:
        """Forget all, and hold one block from now on."""
        dim = self.rows.shape[1]
        self.rows, self.classes, self.filled = np.zeros((BLOCK, dim), np.float32), np.zeros(BLOCK, np.int64), 0


def _resized(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    larger = np.zeros((rows, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
