"""What models said of an example, as it is kept until its label is known: the 10 most probable classes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prequel.services.learner.fold.prequential import loss_units
from prequel.services.learner.models.base import Probabilities

TOP = 10
ABSENT = -2
"""Instead of a predicted class: the model was added later, and its replay did not meet the example like this."""


class Guess(NamedTuple):
    """One model's prediction: its 10 most probable classes, most probable first; of equal ones, those learned first."""

    classes: list[int]
    probabilities: list[float]
    known: int
    """How many classes the model knew; below 0 as in NOTHING and UNKNOWN."""

    @property
    def label(self) -> int:
        """The predicted class, -1 where the model knew none."""
        return self.classes[0] if self.classes else -1

    @property
    def scored(self) -> int:
        """What is scored of it: ``label``, or ABSENT."""
        if self.classes:
            return self.classes[0]
        return -1 if self.known >= 0 else ABSENT

    def probability(self, label: int) -> float:
        """Of a class: what was said of it, an even share of the rest where it is not among the 10."""
        if label in self.classes:
            return self.probabilities[self.classes.index(label)]
        rest = self.known - len(self.classes)
        return max(0.0, 1.0 - sum(self.probabilities)) / rest if rest else 0.0

    def renumbered(self, classes: Sequence[int]) -> "Guess":
        """The same with class n as ``classes[n]``."""
        return Guess([classes[label] for label in self.classes], self.probabilities, self.known)

    def knew(self, label: int) -> bool:
        """Whether the model knew the class. Beyond 10, models are taken to have met classes in the stream's order."""
        return label in self.classes or TOP < self.known > label

    def loss(self, label: int) -> int:
        """Log loss in LOSS_UNIT; none for a class that the model could not know, as River's CrossEntropy has it."""
        return loss_units(self.probability(label)) if self.knew(label) else 0


NOTHING = Guess([], [], -1)
"""Of a model that was added later: it has not learned the example's label, and is not scored on it."""
UNKNOWN = Guess([], [], -2)
"""Of one that may have learned a label of the example, and is not scored on it."""


def guesses(predicted: Sequence[Probabilities], classes: Sequence[int]) -> list[Guess]:
    """The predictions of one model; ``classes`` are the stream's numbers of the model's classes, in its order.

    What is no number, as of a model whose weights have grown beyond all bounds, counts as 0.
    """
    found: list[Guess] = []
    start = 0
    while start < len(predicted):
        known, end = len(predicted[start]), start
        while end < len(predicted) and len(predicted[end]) == known:
            end += 1
        matrix = np.nan_to_num(
            np.array(predicted[start:end]).reshape(end - start, known), nan=0.0, posinf=0.0, neginf=0.0
        )
        order = np.argsort(-matrix, axis=1, kind="stable")[:, :TOP]
        kept = np.take_along_axis(matrix, order, axis=1).astype(np.float32).tolist()
        named = np.asarray(classes, np.int64)[order].tolist() if known else order.tolist()
        found += [Guess(labels, shares, known) for labels, shares in zip(named, kept, strict=True)]
        start = end
    return found
