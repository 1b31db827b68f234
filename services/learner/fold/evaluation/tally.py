"""The counts of one model over the scored examples."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.evaluation.class_counts import ClassCounts
from prequel.services.learner.fold.evaluation.class_slices import ClassSlices

EMPTY, WRONG, RIGHT = 0, 1, 2
"""In ``Tally.recent``: no scored example at that index, a wrong prediction, a right one."""

Arrays = dict[str, npt.NDArray[Any]]
Cell = tuple[int, int]
"""(true class, predicted class); -1 is a prediction of none."""


class Tally:
    """One model's counts; ``window`` is the number of indices that the windowed accuracy is over.

    Every count is a whole number, so that taking an example out leaves exactly what there would be without it
    (``faded_right``, a sum of weights, is the exception: it is exact up to rounding).
    """

    def __init__(self, window: int) -> None:
        self.confusion: dict[Cell, int] = {}
        self.loss = 0
        """Sum of log losses, in LOSS_UNIT."""
        self.right = 0
        self.recent = bytearray(window)
        """By index modulo the window: EMPTY, WRONG or RIGHT."""
        self.recent_right = 0
        self.curve = [0]
        """Right predictions in each point of the accuracy curve."""
        self.faded_right = 0.0
        self.right_slices = ClassSlices()
        """Examples of each class that were predicted right, by slice of the curve."""
        self.predicted = ClassCounts()
        """The sums of ``confusion`` by predicted class. Kept up to date, because kappa and precision are asked for more
        often than a large matrix can be added up. The hits by class are not: counting them with each example would
        cost more than one pass over the classes whenever they are asked for."""

    def count_cell(self, cell: Cell, sign: int) -> None:
        """Count a cell of the confusion matrix; one that reaches 0 is removed, in memory as in a snapshot."""
        count = self.confusion.get(cell, 0) + sign
        if count:
            self.confusion[cell] = count
        else:
            self.confusion.pop(cell, None)

    def parts(self) -> tuple[dict[str, Any], Arrays]:
        """Everything that does not follow from ``confusion``, as JSON and arrays."""
        meta = {
            "loss": str(self.loss),  # As text: JSON's numbers end at 64 bits.
            "right": self.right,
            "recent_right": self.recent_right,
            "faded_right": self.faded_right,
        }
        cells = [(*cell, count) for cell, count in self.confusion.items() if count]
        return meta, {
            "confusion": np.array(sorted(cells), "<i8").reshape(-1, 3),
            "slices": self.right_slices.cells(),
            "recent": np.frombuffer(bytes(self.recent), np.uint8),
            "curve": np.array(self.curve, "<i8"),
        }

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: Arrays) -> "Tally":
        """The inverse of ``parts``; the caller fills ``predicted`` in."""
        self = cls(0)
        self.loss, self.right, self.recent_right = int(meta["loss"]), meta["right"], meta["recent_right"]
        self.faded_right = meta["faded_right"]
        self.confusion = {(true, predicted): count for true, predicted, count in arrays["confusion"].tolist()}
        self.right_slices = ClassSlices.from_cells(arrays["slices"])
        self.recent = bytearray(arrays["recent"].tobytes())
        self.curve = arrays["curve"].tolist()
        return self
