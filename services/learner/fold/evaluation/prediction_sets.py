"""Prediction sets: beside the champion's label, the labels that hold the truth as often as was promised."""

from typing import Any, NamedTuple

import numpy.typing as npt

from prequel.services.learner.fold.evaluation.label_set import set_holds, set_score, set_size
from prequel.services.learner.fold.evaluation.set_ring import EMPTY, HELD, MISSED, RIGHT, SetRing
from prequel.services.learner.fold.predictions import ModelPrediction

AUTOMATIC = 0.0
STANDARD, HIGH = 0.9, 0.99
"""The automatic levels: 90 %, and 99 % for a champion that is right in so many cases that 90 % promise nothing."""
RAISE, LOWER = 0.92, 0.85
"""Accuracies of the newest labels above and below which the automatic level changes: more than 0.9 beyond the chance of
500 labels, and clearly less. With 0.9, a champion of 0.88 changed its promise five times in 10,000 images."""
MIN_SCORED = 200
"""Scored examples before the level is raised: the first few that are right say little."""
STEP = 0.1
"""By how much of the allowed misses one miss too many, or too few, among the newest moves the rate. With twice as much,
sets swing where labels come 200 examples late (they then held the truth in 87 % of cases, not in 90); with half as
much, 2 % fewer do in the 500 examples after a change of camera."""


class ServedSet(NamedTuple):
    """What an example's set was: ``sequence`` is the example's, ``threshold`` where its set ended."""

    sequence: int
    prediction: ModelPrediction
    threshold: float


class RecentSets(NamedTuple):
    """The newest sets at the present level whose truth is known: how many, how many held it, and all their labels."""

    scored: int
    held: int
    total_size: int


class PredictionSets:
    """Adaptive conformal prediction over the champion's probabilities, in a form that can be restated.

    A set holds every class that is at least as probable as a threshold: a quantile of the newest probabilities that
    truths had (SetRing). Which quantile is what adapts: the misses allowed, less a step for each of them that is too
    many among the newest sets (Gibbs & Candes, "Adaptive conformal inference under distribution shift", 2021; their sum
    is over all sets, and grows without bound where even the single label is right more often than promised: after a
    change, such sets hold the truth in 78 % of cases for 500 examples). All of it is counted by index in the metrics.

    ``setting`` is the level, 0.5 to 0.999, or AUTOMATIC.

    >>> sets = PredictionSets(0.9)
    >>> for certainty in [0.6, 0.7, 0.8, 0.9] * 10:
    ...     prediction = ModelPrediction([0, 1], [certainty, 1 - certainty], known=2)
    ...     sets.score(ServedSet(0, prediction, sets.threshold()), truth=0)
    >>> sets.threshold() > 0.5, sets.recent
    (True, RecentSets(scored=40, held=40, total_size=49))
    """

    def __init__(self, setting: float) -> None:
        self.setting = setting
        self.level = setting or STANDARD
        self.champion_from = self.level_from = 0
        """Sequence numbers of the first examples that the present champion predicted, and at the present level."""
        self.ring = SetRing()

    def threshold(self) -> float:
        """The smallest probability in the next set; 0 while too few labels have come to leave any class out."""
        allowed, recent = 1 - self.level, self.ring.recent
        excess = recent[MISSED] - allowed * (recent[MISSED] + recent[HELD] + recent[RIGHT])
        rate = allowed - STEP * allowed * excess
        return 0.0 if rate <= 0 else 1.0 if rate >= 1 else self.ring.quantile(rate)

    def score(self, served: ServedSet, truth: int) -> None:
        """Count the set of an example whose class is known now, under the next index of the metrics."""
        self.count(self.ring.advance(), served, truth)

    def count(self, index: int, served: ServedSet, truth: int, sign: int = 1) -> None:
        """Count the set of an example of class ``truth`` under its index; with -1, take it out again.

        What another champion predicted is left out, and what was promised at another level counts only as a
        probability that a truth had.
        """
        sequence, prediction, threshold = served
        if sequence < self.champion_from or prediction.known <= 0:
            return
        promised = sequence >= self.level_from
        mark = _mark(prediction, threshold, truth) if promised else EMPTY
        if sign < 0:
            self.ring.remove(index)
            return
        size = set_size(prediction, threshold) if promised else 0
        self.ring.put(index, set_score(prediction, truth), mark, size)

    def adapt(self, sequence: int) -> None:
        """Choose the level for the examples from ``sequence`` on, where it is automatic."""
        if self.setting:
            return
        _, missed, held, right = self.ring.counts
        known = missed + held + right
        if known < MIN_SCORED:
            return
        if self.level == STANDARD and right > RAISE * known:
            self._promise(HIGH, sequence)
        elif self.level == HIGH and right < LOWER * known:
            self._promise(STANDARD, sequence)

    def change(self, setting: float, sequence: int) -> None:
        """Use another setting for the examples from ``sequence`` on."""
        if setting != self.setting:
            self.setting = setting
            self._promise(setting or STANDARD, sequence)

    def change_champion(self, sequence: int, total: int) -> None:
        """Begin again with the examples from ``sequence`` on; ``total`` is the next index of the metrics."""
        self.ring, self.champion_from = SetRing(total), sequence
        self._promise(self.setting or STANDARD, sequence)

    @property
    def recent(self) -> RecentSets:
        """Of the newest 500 labels (``SIZE`` of the ring), fewer after the level or the champion has changed."""
        _, missed, held, right = self.ring.counts
        return RecentSets(missed + held + right, held + right, self.ring.total_size)

    def _promise(self, level: float, sequence: int) -> None:
        self.level, self.level_from = level, sequence
        self.ring.clear_marks()

    def parts(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """As a snapshot stores it; ``load`` is the inverse."""
        return {"level": self.level, "from": [self.champion_from, self.level_from]}, self.ring.arrays()

    def load(self, numbers: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
        """The inverse of ``parts``."""
        self.level = numbers["level"]
        self.champion_from, self.level_from = numbers["from"]
        self.ring = SetRing.from_arrays(arrays)


def _mark(prediction: ModelPrediction, threshold: float, truth: int) -> int:
    if prediction.top_class == truth:
        return RIGHT
    return HELD if set_holds(prediction, threshold, truth) else MISSED
