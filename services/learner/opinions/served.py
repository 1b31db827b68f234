"""What one model says now of many examples, calibrated as it would be served."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.calibration.calibrator import Calibrator
from prequel.services.learner.fold.calibration.ranking import Ranking
from prequel.services.learner.fold.predictions import TOP, ModelPrediction
from prequel.services.learner.kernels.ranking import rank
from prequel.services.learner.models.base import Probabilities

Numbers = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


class Served(NamedTuple):
    """The most probable classes of n examples, TOP at most, the most probable first.

    ``sequences`` int64 [n] ascend; ``classes`` int64 [n, TOP] are the stream's numbers, -1 beyond those known;
    ``shares`` float32 [n, TOP] their calibrated probabilities; ``known`` int64 [n] how many classes there were.
    """

    sequences: Numbers
    classes: Numbers
    shares: npt.NDArray[np.float32]
    known: Numbers

    def at(self, sequences: Numbers) -> "Served":
        """Those of the examples ``sequences``, which are all here."""
        return self.chosen(np.searchsorted(self.sequences, sequences))

    def chosen(self, which: npt.NDArray[np.bool_] | Numbers) -> "Served":
        """Those of a mask [n], or at these places."""
        return Served(self.sequences[which], self.classes[which], self.shares[which], self.known[which])

    def holds(self, sequences: Numbers) -> npt.NDArray[np.bool_]:
        """Which of the examples are here."""
        if not len(self.sequences):
            return np.zeros(len(sequences), np.bool_)
        at = np.searchsorted(self.sequences, sequences).clip(max=len(self.sequences) - 1)
        found: npt.NDArray[np.bool_] = self.sequences[at] == sequences
        return found

    def joined(self, others: Sequence["Served"], oldest: int) -> "Served":
        """With others, which are of other examples; without those before ``oldest``."""
        parts = [self, *others]
        together = Served(
            np.concatenate([part.sequences for part in parts]),
            np.concatenate([part.classes for part in parts]),
            np.concatenate([part.shares for part in parts]),
            np.concatenate([part.known for part in parts]),
        )
        order = np.argsort(together.sequences, kind="stable")
        return together.chosen(order[together.sequences[order] >= oldest])

    @property
    def top_classes(self) -> Numbers:
        """The predicted class of each, -1 where none was known."""
        return self.classes[:, 0]

    @property
    def margins(self) -> Shares:
        """Largest share less the second largest; 0 where none was known."""
        margins: Shares = self.shares[:, 0].astype(np.float64) - self.shares[:, 1]
        return margins

    def share_of(self, classes: Numbers) -> Shares:
        """The share of each example's class of ``classes`` [n]; beyond the TOP, an even share of the rest."""
        found = self.classes == classes[:, None]
        rest = np.maximum(1.0 - self.shares.sum(axis=1, dtype=np.float64), 0.0) / np.maximum(self.known - TOP, 1)
        shares: Shares = np.where(found.any(axis=1), (self.shares * found).sum(axis=1), rest)
        return shares

    def prediction(self, row: int) -> ModelPrediction:
        """Of one example."""
        width = min(TOP, int(self.known[row]))
        return ModelPrediction(
            self.classes[row, :width].tolist(), self.shares[row, :width].tolist(), int(self.known[row])
        )


NOTHING = Served(
    np.zeros(0, np.int64), np.zeros((0, TOP), np.int64), np.zeros((0, TOP), np.float32), np.zeros(0, np.int64)
)


def served(sequences: Numbers, probabilities: Probabilities, numbers: Sequence[int], calibrator: Calibrator) -> Served:
    """What is served where a model says ``probabilities`` [n, classes]; ``numbers`` are the stream's of its classes.

    ``calibrator`` is a copy: it has scratch arrays of its own.
    """
    count, known = probabilities.shape
    width = min(TOP, known)
    classes, raw = np.full((count, TOP), -1, np.int64), np.zeros((count, TOP), np.float32)
    if not (count and known):
        return Served(sequences, classes, raw, np.full(count, known))
    top, own = np.full((count, width), -1, np.int64), np.zeros((count, width), np.float32)
    rank(np.ascontiguousarray(probabilities), np.array(numbers, np.int64), np.empty(TOP), top, own)
    none = np.full(count, -1, np.int64)
    ranked = Ranking(top, own, np.full(count, known))
    run = calibrator.calibrate_run(ranked, none, none, np.zeros(count, np.int64))
    classes[:, :width], raw[:, :width] = top, run.served
    return Served(sequences, classes, raw, np.full(count, known))
