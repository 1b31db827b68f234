"""A model's prediction as it is stored until the label is known: the 10 most probable classes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.evaluation.log_loss import log_loss_units
from prequel.services.learner.kernels.calibration import serve

TOP = 10
"""Classes stored of a prediction. The page shows no more, and of a thousand classes the window would otherwise take a
hundred times the memory; with half as many, more true classes would be scored with an even share of the rest."""
NOT_SCORED = -2
"""Instead of a predicted class: the model was added later, and its replay did not meet the example like this."""


Shares = npt.NDArray[np.float32]

UNCALIBRATED: Shares = np.array([1.0, 0.0, 0.0, 0.0, 0.0], np.float32)
"""Sharpness, even share, top share, the bin's share and doubt (see ``kernels.calibration.serve``) with which a model's
own probabilities are what is served."""
UNCALIBRATED.flags.writeable = False


class ModelPrediction(NamedTuple):
    """One model's prediction: its 10 most probable classes, most probable first; of equal ones, those learned first.

    ``classes`` are the stream's class numbers, ``probabilities`` theirs, calibrated: what is served and scored. In the
    fold they are numbers of float32.

    >>> prediction = ModelPrediction([2, 0], [0.7, 0.3], known=2)
    >>> prediction.top_class, prediction.probability(0), prediction.knows(1)
    (2, 0.3, False)
    """

    classes: list[int]
    probabilities: list[float]
    known: int
    """How many classes the model knew; below 0 as in NOT_LEARNED and PERHAPS_LEARNED."""
    raw: Shares | None = None
    """The model's own probabilities of these classes, before they were calibrated; None where these are served.

    An array and not a list, as the next field: of hundreds of thousands of lists the garbage collector would look at
    every one.
    """
    calibration: Shares = UNCALIBRATED
    """Float32 [5]: what ``probabilities`` were made with."""

    @property
    def own(self) -> Shares:
        """The model's own probabilities of ``classes``, float32."""
        return np.array(self.probabilities, np.float32) if self.raw is None else self.raw

    @property
    def top_class(self) -> int:
        """The predicted class, -1 where the model knew none."""
        return self.classes[0] if self.classes else -1

    @property
    def scored_class(self) -> int:
        """What the metrics count: ``top_class``, or NOT_SCORED."""
        if self.classes:
            return self.classes[0]
        return -1 if self.known >= 0 else NOT_SCORED

    def probability(self, label: int) -> float:
        """The predicted probability of a class; beyond the 10 stored ones, an even share of the rest."""
        if label in self.classes:
            return self.probabilities[self.classes.index(label)]
        rest = self.known - len(self.classes)
        return max(0.0, 1.0 - sum(self.probabilities)) / rest if rest else 0.0

    def renumbered(self, classes: Sequence[int]) -> "ModelPrediction":
        """The same with class n as ``classes[n]``."""
        return self._replace(classes=[classes[label] for label in self.classes])

    def knows(self, label: int) -> bool:
        """Whether the model knew the class. Beyond 10, models are taken to have met classes in the stream's order."""
        return label in self.classes or TOP < self.known > label

    def log_loss_units(self, label: int) -> int:
        """Log loss in LOSS_UNIT; 0 for a class that the model could not know, as in River's CrossEntropy."""
        if label in self.classes:  # Nearly always: what follows would look for it three times.
            return log_loss_units(self.probabilities[self.classes.index(label)])
        return log_loss_units(self.probability(label)) if self.knows(label) else 0


NOT_LEARNED = ModelPrediction([], [], -1)
"""The prediction of a model that was added later: it has not learned the example's label, and is not scored on it."""
PERHAPS_LEARNED = ModelPrediction([], [], -2)
"""The same, but it may have learned a label of the example: to unlearn that would not be exact."""


def served(classes: list[int], raw: Shares, known: int, calibration: Shares) -> ModelPrediction:
    """The prediction that is served where a model's own probabilities are ``raw`` and were calibrated with these.

    >>> raw, calibration = np.array([0.9375, 0.0625], np.float32), np.array([0.5, 0.0, 0.0, 0.0, 0.0], np.float32)
    >>> prediction = served([3, 5], raw, 2, calibration)
    >>> prediction.classes, [round(share, 3) for share in prediction.probabilities]
    ([3, 5], [0.795, 0.205])
    """
    if calibration[0] == 1.0 and not calibration[1:].any():
        return ModelPrediction(classes, raw.tolist(), known)
    out = np.empty(len(raw), np.float32)
    serve(raw, known, calibration, np.empty(TOP), out)
    return ModelPrediction(classes, out.tolist(), known, raw, calibration)
