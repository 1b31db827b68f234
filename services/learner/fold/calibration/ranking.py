"""The most probable classes of a run of predictions, as arrays."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.evaluation.log_loss import log_loss_units
from prequel.services.learner.fold.predictions import TOP, UNCALIBRATED, ModelPrediction
from prequel.services.learner.kernels.ranking import rank
from prequel.services.learner.models.base import Probabilities


class Ranking(NamedTuple):
    """Of each of n predictions the TOP most probable classes, most probable first; of equal ones, those learned first.

    ``classes`` int64 [n, width] are the stream's numbers, ``raw`` float32 [n, width] the model's probabilities of them
    (-1 and 0 beyond the classes known), ``known`` int64 [n] how many classes the model knew.
    """

    classes: npt.NDArray[np.int64]
    raw: npt.NDArray[np.float32]
    known: npt.NDArray[np.int64]

    def predictions(
        self, served: npt.NDArray[np.float32], calibrations: npt.NDArray[np.float32]
    ) -> list[ModelPrediction]:
        """One a row; ``served`` float32 [n, width] are the calibrated probabilities, by ``calibrations`` [n, 5]."""
        known = self.known.tolist()
        rows = zip(self.classes.tolist(), served.tolist(), known, self.raw, calibrations, strict=True)
        if min(known) >= self.raw.shape[1]:  # The usual run: no class is new, and nothing is cut off.
            return [ModelPrediction(*row) for row in rows]
        return [
            ModelPrediction(classes[:known], probabilities[:known], known, raw[:known], calibration)
            for classes, probabilities, known, raw, calibration in rows
        ]


class ServedRun(NamedTuple):
    """What is served of one model's predictions of n examples: ``served`` float32 [n, width] are the probabilities of
    the ranking's classes, by ``calibrations`` float32 [n, 5]."""

    ranking: Ranking
    served: npt.NDArray[np.float32]
    calibrations: npt.NDArray[np.float32]

    @property
    def width(self) -> int:
        """The most classes that one of the predictions has."""
        return min(TOP, int(self.ranking.known.max(initial=0)))

    def rows(self, begin: int, end: int) -> "ServedRun":
        """Those of the examples from ``begin`` to ``end``, without it."""
        classes, raw, known = self.ranking
        ranking = Ranking(classes[begin:end], raw[begin:end], known[begin:end])
        return ServedRun(ranking, self.served[begin:end], self.calibrations[begin:end])

    def predictions(self) -> list[ModelPrediction]:
        """One an example."""
        return self.ranking.predictions(self.served, self.calibrations)

    def top_classes(self) -> list[int]:
        """The predicted class of each example, -1 where the model knew none."""
        classes: list[int] = self.ranking.classes[:, 0].tolist() if self.ranking.classes.shape[1] else []
        return classes or [-1] * len(self.served)

    def losses(self, truths: Sequence[int]) -> list[int]:
        """The log loss of each example's class, in LOSS_UNIT, as of its ModelPrediction; 0 where the class is -1."""
        found = self.ranking.classes == np.array(truths)[:, None]
        shares = (
            self.served[np.arange(len(truths)), found.argmax(axis=1)].tolist() if found.size else [0.0] * len(truths)
        )
        rows = zip(truths, shares, found.any(axis=1).tolist(), strict=True)
        return [
            0 if truth < 0 else log_loss_units(share) if stored else self._loss_beyond(row, truth)
            for row, (truth, share, stored) in enumerate(rows)
        ]

    def _loss_beyond(self, row: int, truth: int) -> int:
        """The loss of a class that is not one of those stored."""
        return self.rows(row, row + 1).predictions()[0].log_loss_units(truth)


def ranking(predicted: Sequence[Probabilities], numbers: Sequence[int]) -> Ranking:
    """The ranking of one model's predictions of several examples.

    ``predicted`` has one float vector an example, shape [classes known then]; ``numbers`` are the stream's numbers of
    the model's classes, in the model's order. A value that is no number, as of a model whose weights have grown beyond
    all bounds, counts as 0.

    >>> ranked = ranking([np.array([0.25, 0.75])], numbers=[5, 3])
    >>> ranked.classes.tolist(), ranked.raw.tolist(), ranked.known.tolist()
    ([[3, 5]], [[0.75, 0.25]], [2])
    """
    known = [len(row) for row in predicted]
    width = min(TOP, max(known, default=0))
    classes, raw = np.full((len(known), width), -1, np.int64), np.zeros((len(known), width), np.float32)
    by_number, values = np.array(numbers, np.int64), np.empty(TOP)
    start = 0
    for classes_known, rows in groupby(predicted, len):
        matrix = np.array(list(rows), np.float64)
        end = start + len(matrix)
        if classes_known:
            rank(matrix, by_number, values, classes[start:end], raw[start:end])
        start = end
    return Ranking(classes, raw, np.array(known, np.int64))


def own_predictions(predicted: Sequence[Probabilities], numbers: Sequence[int]) -> list[ModelPrediction]:
    """One model's predictions of several examples, as the model makes them: not calibrated. See ``ranking``.

    >>> (prediction,) = own_predictions([np.array([0.25, 0.75])], numbers=[5, 3])
    >>> prediction.classes, prediction.probabilities
    ([3, 5], [0.75, 0.25])
    """
    ranked = ranking(predicted, numbers)
    return ranked.predictions(ranked.raw, np.tile(UNCALIBRATED, (len(ranked.known), 1)))
