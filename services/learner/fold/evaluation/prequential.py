"""Prequential metrics that can be restated: any scored example can be taken out, or scored again, exactly."""

from collections.abc import Sequence
from typing import NamedTuple

from prequel.services.learner.fold.evaluation.class_counts import ClassCounts
from prequel.services.learner.fold.evaluation.class_slices import SLICES, ClassSlices
from prequel.services.learner.fold.evaluation.log_loss import LOSS_UNIT
from prequel.services.learner.fold.evaluation.tally import EMPTY, RIGHT, WRONG, Tally

MAX_POINTS = 500
"""Points of the accuracy curve: one for every pixel or two of a chart. When they are full, each two become one."""
INITIAL_STRIDE = 4
"""Indices in a point of a new curve: after 2,000 examples a curve has 500 points, after that 250 to 500."""
POINTS_PER_SLICE = MAX_POINTS // SLICES
FADING = 0.999
"""Weight of an example relative to the next one: about the last 1,000 count. Nearer to 1 it would follow a change more
slowly than the windowed accuracy does, further away it would jump with every few errors."""
MIN_FADED_WEIGHT = 1e-6
"""Below this sum of weights, where nearly all was retracted, the fading accuracy is rounding error and is not shown."""


class ScoredLabel(NamedTuple):
    """What an example is scored with: its true class, and each model's log loss in LOSS_UNIT."""

    truth: int
    losses: Sequence[int]


class Prequential:
    """The metrics of several models over the same scored examples in the same order.

    Each prediction is made before the example's label is learned (test, then train). An example is scored once and
    gets an index; ``restate`` changes what an index is counted as. The windowed accuracy is over the newest ``window``
    indices, the curve over runs of ``stride`` indices (doubled when 500 are full), so both can be restated as well.

    Parameters: ``models``, how many models are scored; ``window``, in examples. Source: Gama, Sebastiao & Rodrigues,
    "On evaluating stream learning algorithms", Machine Learning 90 (2013).

    >>> metrics = Prequential(models=1, window=100)
    >>> first = metrics.score(ScoredLabel(truth=0, losses=[0]), predicted=[0])
    >>> second = metrics.score(ScoredLabel(truth=1, losses=[0]), predicted=[0])
    >>> metrics.accuracy(0)
    0.5
    >>> wrong, right = ScoredLabel(truth=1, losses=[0]), ScoredLabel(truth=0, losses=[0])
    >>> metrics.restate(second, [0], wrong, right)  # a correction of the second label
    >>> metrics.accuracy(0)
    1.0
    """

    def __init__(self, models: int, window: int) -> None:
        self.window = window
        self.tracked_from = 0
        """The oldest index that the windowed accuracy includes: after it was widened, it has to fill up again."""
        self.total = 0
        """Indices given so far; ``scored`` of them still count (the others were retracted, or skipped)."""
        self.scored = 0
        self.recent_scored = 0
        self.stride = INITIAL_STRIDE
        self.curve_scored = [0]
        """Scored examples in each point of the curve."""
        self.faded_weight = 0.0
        self.scored_slices = ClassSlices()
        self.true = ClassCounts()
        self.tallies = [Tally(window) for _ in range(models)]

    def score(self, label: ScoredLabel, predicted: Sequence[int]) -> int:
        """Score each model's prediction (class or -1) of an example whose label is now known; return its index."""
        index = self.skip()
        self._count(index, label, predicted, 1)
        return index

    def skip(self) -> int:
        """Give an index to an example that these models did not predict: time passes, nothing is counted."""
        index = self.total
        self._make_room(index)
        self.total += 1
        self.faded_weight *= FADING
        for tally in self.tallies:
            tally.faded_right *= FADING
        return index

    def restate(self, index: int, predicted: Sequence[int], old: ScoredLabel, new: ScoredLabel | None) -> None:
        """Count as if ``index`` had been scored with ``new`` instead of ``old``; None: as if never labelled."""
        self._count(index, old, predicted, -1)
        if new is not None:
            self._count(index, new, predicted, 1)

    def _make_room(self, index: int) -> None:
        """Empty the slot of the windowed accuracy that ``index`` takes over, and open its point of the curve."""
        slot, point = index % self.window, index // self.stride
        if self.tallies[0].recent[slot] != EMPTY:
            self.recent_scored -= 1
            for tally in self.tallies:
                tally.recent_right -= tally.recent[slot] == RIGHT
                tally.recent[slot] = EMPTY
        if point >= MAX_POINTS:
            self._halve_curve()
            point = index // self.stride
        if point >= len(self.curve_scored):
            for points in (self.curve_scored, *(tally.curve for tally in self.tallies)):
                points.append(0)

    def _halve_curve(self) -> None:
        self.stride *= 2
        self.curve_scored = _merge_pairs(self.curve_scored)
        self.scored_slices.halve()
        for tally in self.tallies:
            tally.curve = _merge_pairs(tally.curve)
            tally.right_slices.halve()

    def _count(self, index: int, scored_label: ScoredLabel, predicted: Sequence[int], sign: int) -> None:
        """The only place that counts: with 1 an example comes in, with -1 the same goes out again."""
        truth, losses = scored_label
        point, slot = index // self.stride, index % self.window
        recent = index >= self.total - self.window and index >= self.tracked_from
        weight = sign * FADING ** (self.total - 1 - index)
        piece = point // POINTS_PER_SLICE
        self.scored += sign
        self.faded_weight += weight
        self.scored_slices.add(truth, piece, sign)
        self.true.add(truth, sign)
        self.curve_scored[point] += sign
        self.recent_scored += sign * recent
        for tally, label, loss in zip(self.tallies, predicted, losses, strict=True):
            right = label == truth
            tally.count_cell((truth, label), sign)
            if label >= 0:
                tally.predicted.add(label, sign)
            tally.loss += sign * loss
            tally.right += sign * right
            tally.curve[point] += sign * right
            if right:
                tally.faded_right += weight
                tally.right_slices.add(truth, piece, sign)
            if recent:
                tally.recent_right += sign * right
                tally.recent[slot] = (RIGHT if right else WRONG) if sign > 0 else EMPTY

    # Changes of settings.

    def resize(self, window: int) -> None:
        """Make the windowed accuracy be over ``window`` indices; a wider one fills with those to come."""
        newest = range(max(self.total - min(self.window, window), self.tracked_from), self.total)
        for tally in self.tallies:
            recent = bytearray(window)
            for index in newest:
                recent[index % window] = tally.recent[index % self.window]
            tally.recent, tally.recent_right = recent, recent.count(RIGHT)
        self.window, self.tracked_from = window, newest.start
        self.recent_scored = window - self.tallies[0].recent.count(EMPTY)

    def select(self, models: Sequence[int]) -> None:
        """Keep only these models from here on, in this order."""
        self.tallies = [self.tallies[model] for model in models]

    def renumber(self, classes: Sequence[int]) -> None:
        """Make class n ``classes[n]`` in everything counted."""
        numbers = dict(enumerate(classes)) | {-1: -1}
        self.scored_slices = self.scored_slices.renumbered(classes)
        for tally in self.tallies:
            tally.confusion = {(numbers[true], numbers[label]): n for (true, label), n in tally.confusion.items()}
            tally.right_slices = tally.right_slices.renumbered(classes)
        self.sum_confusion()

    # The metrics of a model, by its number; None where no example counts.

    def accuracy(self, model: int) -> float | None:
        """Share of right predictions since the start."""
        return self.tallies[model].right / self.scored if self.scored else None

    def window_accuracy(self, model: int) -> float | None:
        """Share of right predictions in the newest ``window`` indices."""
        return self.tallies[model].recent_right / self.recent_scored if self.recent_scored else None

    def fading_accuracy(self, model: int) -> float | None:
        """Share of right predictions where each example weighs 0.999 of the next (Gama et al. 2013)."""
        if not self.scored or self.faded_weight < MIN_FADED_WEIGHT:
            return None
        return min(1.0, max(0.0, self.tallies[model].faded_right / self.faded_weight))

    def log_loss(self, model: int) -> float | None:
        """Mean log loss, in nats."""
        return self.tallies[model].loss * LOSS_UNIT / self.scored if self.scored else None

    def kappa(self, model: int) -> float | None:
        """Cohen's kappa (1960) of predictions and truth; 0 where chance agreement is certain."""
        if not self.scored:
            return None
        expected = self.true.dot(self.tallies[model].predicted) / self.scored**2
        return (self.tallies[model].right / self.scored - expected) / (1 - expected) if expected < 1 else 0.0

    def sum_confusion(self) -> None:
        """Compute ``true`` and ``predicted``, which are not stored, from the confusion matrices."""
        self.true = ClassCounts()
        for tally in self.tallies:
            tally.predicted = ClassCounts()
        for model, tally in enumerate(self.tallies):
            for (truth, label), count in tally.confusion.items():
                if model == 0:
                    self.true.add(truth, count)
                if label >= 0:
                    tally.predicted.add(label, count)


def _merge_pairs(points: list[int]) -> list[int]:
    return [sum(points[at : at + 2]) for at in range(0, len(points), 2)]
