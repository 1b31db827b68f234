"""Examples that are held out: predicted with what was learned, and scored apart."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.calibration.ranking import ServedRun, ranking
from prequel.services.learner.fold.calibration.reliability import calibration_error, reliability_curve
from prequel.services.learner.fold.evaluation.prequential import ScoredLabel
from prequel.services.learner.fold.evaluation.scores import Scores
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.kernels.calibration import BINS, UNIT
from prequel.services.learner.models.capabilities import predict_many
from prequel.services.learner.replay.backtests.range_comparisons import RangeComparisons, range_verdicts
from prequel.services.offline.evaluation.classification_report import classification_report
from prequel.services.offline.evaluation.result import HeldOut, HeldOutModel
from prequel.services.offline.evaluation.schedule import Predicted
from prequel.shared.features.base import FeatureRows
from prequel.shared.status import MAX_LABELS, Confusion, Interval, ReliabilityPoint

Z = 1.959964
"""Standard deviations within which 95 % of a normal distribution lie."""


class HeldOutScores:
    """Scores the models of ``state`` as they are; nothing is learned."""

    def __init__(self, state: StreamState) -> None:
        self._state, self._models = state, len(state.config.models)
        self.names = list(state.class_names)
        """Names of the classes by number: those learned, then those that are held out only."""
        self._classes = dict(state.classes)
        self._scores = Scores(self._models, 1)
        self._comparisons = RangeComparisons(self._models - 1)
        self._reliability = np.zeros((self._models, 3, BINS), np.int64)
        self.images = self.never_learned = 0
        """``never_learned`` counts examples of classes that no label before them was of."""

    def predict(self, rows: FeatureRows) -> Predicted:
        """Predict examples, and score those with a label."""
        runs = [self._serve(number, rows) for number in range(self._models)]
        predicted = Predicted(self._state.images + self.images, rows.infos, runs)
        self.images += len(rows.infos)
        self._score(runs, self.truths(predicted))
        return predicted

    def truths(self, predicted: Predicted) -> npt.NDArray[np.int64]:
        """The class of each example, -1 where none is known."""
        return np.array([self._number(info.label) for info in predicted.infos], np.int64)

    def result(self, split: str) -> HeldOut:
        """What was found, of the split or share that was held out."""
        specs = self._state.config.models
        return HeldOut(
            split=split,
            images=self.images,
            scored=self._scores.scored,
            models={spec: self._model(number) for number, spec in enumerate(specs)},
            verdicts=range_verdicts(self._comparisons, specs[0], specs[1:]),
        )

    def _serve(self, number: int, rows: FeatureRows) -> ServedRun:
        """What the model says, calibrated as it would be served."""
        state, model = self._state, self._state.models[number]
        ranked = ranking(list(predict_many(model, rows.vectors)), state.class_numbers(model))
        none = np.full(len(rows.infos), -1, np.int64)
        return state.calibrators[number].calibrate_run(ranked, none, none, np.zeros(len(none), np.int64))

    def _number(self, label: str | None) -> int:
        if label is None:
            return -1
        if label not in self._classes:
            self._classes[label] = len(self.names)
            self.names.append(label)
        return self._classes[label]

    def _score(self, runs: Sequence[ServedRun], truths: npt.NDArray[np.int64]) -> None:
        classes = list(zip(*(run.top_classes() for run in runs), strict=True))
        losses = list(zip(*(run.losses(truths.tolist()) for run in runs), strict=True))
        for row in np.flatnonzero(truths >= 0).tolist():
            truth = int(truths[row])
            self.never_learned += truth >= len(self._state.labels)
            index = self._scores.score(ScoredLabel(truth, losses[row]), classes[row])
            self._comparisons.score(index, truth, classes[row], mixed=True)
        for number, run in enumerate(runs):
            self._count_reliability(number, run, truths)

    def _count_reliability(self, number: int, run: ServedRun, truths: npt.NDArray[np.int64]) -> None:
        top = np.array(run.top_classes())
        counted = (truths >= 0) & (top >= 0)
        sure = run.served.max(axis=1, initial=0.0)[counted].astype(np.float64)
        bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
        right, shares = (top == truths)[counted], np.rint(sure * UNIT).astype(np.int64)
        for row, values in enumerate((np.ones_like(shares), right.astype(np.int64), shares)):
            np.add.at(self._reliability[number, row], bins, values)

    def _model(self, number: int) -> HeldOutModel:
        scores, tally = self._scores, self._scores.tallies[number]
        return HeldOutModel(
            accuracy=scores.accuracy(number),
            interval=wilson_interval(tally.right, scores.scored),
            kappa=scores.kappa(number),
            log_loss=scores.log_loss(number),
            calibration_error=calibration_error(self._reliability[number]),
            confusion=self._confusion(number),
            reliability=[
                ReliabilityPoint(confidence=confidence, accuracy=accuracy, count=count)
                for confidence, accuracy, count in reliability_curve(self._reliability[number])
            ],
            report=classification_report(tally.confusion, self.names),
        )

    def _confusion(self, number: int) -> Confusion:
        cells, frequent = self._scores.tallies[number].confusion, self._scores.frequent_classes(MAX_LABELS)
        return Confusion(
            labels=[self.names[label] for label in frequent],
            rows=[[cells.get((truth, predicted), 0) for predicted in (*frequent, -1)] for truth in frequent],
        )


def wilson_interval(right: int, scored: int) -> Interval | None:
    """Wilson's 95 % interval of a share (JASA 22, 1927), for a number of examples that was fixed before; None of none.

    >>> low, high = wilson_interval(95, 100)
    >>> round(low, 3), round(high, 3)
    (0.888, 0.978)
    """
    if not scored:
        return None
    share, weight = right / scored, Z * Z / scored
    centre, half = share + weight / 2, Z * math.sqrt(share * (1 - share) / scored + weight / (4 * scored))
    return max(0.0, (centre - half) / (1 + weight)), min(1.0, (centre + half) / (1 + weight))
