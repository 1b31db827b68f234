"""The examples that wait to be added to a second moment, or are too few for one."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Vector
from prequel.services.learner.models.equal_rows import equal_rows

BLOCK = 128
"""How many examples wait until they are added to the second moment in one product of matrices. With half as many, `mix`
reads and writes its second moments twice as often, which is a fifth of its time; twice as many would double the rows
that a snapshot holds beside them, and weights would fade in steps of up to three quarters."""


class PendingExamples:
    """Rows float32 [>= filled, dim], their classes int64, and what they weigh: below 0 one that is to be subtracted.

    The first ``filled`` of each count. The kernels write all three themselves, and add to ``filled`` after it.
    """

    def __init__(self, dim: int) -> None:
        self.rows, self.classes, self.weights = np.zeros((0, dim), np.float32), np.zeros(0, np.int64), np.zeros(0)
        self.filled = 0

    def reserve(self, filled: int, limit: int) -> None:
        """Memory for ``filled`` examples, or twice what there is, at most ``limit``."""
        if filled > len(self.rows):
            capacity = min(max(filled, 2 * len(self.rows)), limit)
            self.rows, self.classes = _resized(self.rows, capacity), _resized(self.classes, capacity)
            self.weights = _resized(self.weights, capacity)

    def append(self, x: Vector, target: int, weight: float) -> None:
        """Add an example for which there is room."""
        self.rows[self.filled], self.classes[self.filled], self.weights[self.filled] = x, target, weight
        self.filled += 1

    def find(self, x: Vector, target: int) -> int:
        """Where the newest example stands that equals this one and is not to be subtracted; -1 if there is none."""
        equal = (self.classes[: self.filled] == target) & (self.weights[: self.filled] > 0.0)
        found = equal_rows(self.rows, np.flatnonzero(equal), x)
        return int(found[-1]) if len(found) else -1

    def delete(self, at: int) -> None:
        """Take an example out; those behind it move up."""
        for array in (self.rows, self.classes, self.weights):
            array[at : self.filled - 1] = array[at + 1 : self.filled].copy()
        self.filled -= 1

    def weighted(self, sign: float) -> npt.NDArray[np.float64]:
        """The rows that are to be added (1.0) or subtracted (-1.0), each times the square root of what it weighs."""
        weights = sign * self.weights[: self.filled]
        chosen = weights > 0.0
        return self.rows[: self.filled][chosen].astype(np.float64) * np.sqrt(weights[chosen])[:, None]

    def become_block(self) -> None:
        """Forget all, and hold one block from now on."""
        dim = self.rows.shape[1]
        self.rows, self.classes, self.filled = np.zeros((BLOCK, dim), np.float32), np.zeros(BLOCK, np.int64), 0
        self.weights = np.zeros(BLOCK)


def _resized(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    larger = np.zeros((rows, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
