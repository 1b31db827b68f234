"""A set of labels beside a prediction: the classes that are as probable as the set's threshold."""

from typing import NamedTuple

import numpy as np

from prequel.services.learner.fold.predictions import ModelPrediction


class LabelSet(NamedTuple):
    """``classes`` are the most probable ones, 10 at most; ``size`` counts all that belong to the set."""

    classes: list[int]
    size: int


def label_set(prediction: ModelPrediction, threshold: float) -> LabelSet:
    """The classes whose probability is ``threshold`` or more, and at least the predicted one.

    Beyond the 10 stored classes, all others that the model knew have an even share of the rest: all or none are in.

    >>> prediction = ModelPrediction([2, 0, 1], [0.75, 0.125, 0.125], known=3)
    >>> label_set(prediction, 0.5), label_set(prediction, 0.125)
    (LabelSet(classes=[2], size=1), LabelSet(classes=[2, 0, 1], size=3))
    """
    size = set_size(prediction, threshold)
    return LabelSet(prediction.classes[:size], size)


def set_size(prediction: ModelPrediction, threshold: float) -> int:
    """How many labels the set has. See ``label_set``.

    >>> set_size(ModelPrediction([2, 0, 1], [0.75, 0.125, 0.125], known=3), 0.125)
    3
    """
    size = 0
    for probability in prediction.probabilities:  # The most probable first: most sets end after one or two.
        if probability < threshold:
            return size or 1
        size += 1
    if size < prediction.known and _even_share(prediction) >= threshold:
        return prediction.known
    return size


def set_holds(prediction: ModelPrediction, threshold: float, truth: int) -> bool:
    """Whether the set of this threshold holds a class; never one that the model did not know."""
    return truth == prediction.top_class or (prediction.knows(truth) and set_score(prediction, truth) >= threshold)


def set_score(prediction: ModelPrediction, truth: int) -> float:
    """The probability of the truth as a threshold is: a number of float32, as the window stores it."""
    if truth in prediction.classes:
        return prediction.probabilities[prediction.classes.index(truth)]  # It is one: see ModelPrediction.
    return float(np.float32(prediction.probability(truth)))


def _even_share(prediction: ModelPrediction) -> float:
    return float(np.float32(prediction.probability(-1)))
