"""Metrics of each class: precision, recall, F1, support, and how much of its recall was lost (forgetting)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.evaluation.prequential import Prequential

MIN_IN_SLICE = 5
"""Examples of a class in a slice before its recall there counts: a recall over fewer says too little about forgetting.
With twice as many, rare classes would never have a forgetting at all."""

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class ClassMetrics(NamedTuple):
    """One value a class, by class number; nan where nothing was predicted or true, or there is too little to say.

    ``support`` counts examples; all others are shares of 1. ``forgetting`` is the class's best recall in a slice of
    the stream minus that in its newest slice (Chaudhry et al., "Riemannian walk", ECCV 2018, over slices of one
    stream instead of tasks).
    """

    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    support: IntArray
    forgetting: FloatArray


def class_metrics(scores: Prequential, model: int, min_classes: int = 0) -> ClassMetrics:
    """The metrics of every class that ``model`` was scored on or predicted, padded to ``min_classes``.

    >>> from prequel.services.learner.fold.evaluation.prequential import ScoredLabel
    >>> scores = Prequential(models=1, window=100)
    >>> for truth, predicted in [(0, 0), (0, 1), (1, 1)]:
    ...     _ = scores.score(ScoredLabel(truth, losses=[0]), [predicted])
    >>> metrics = class_metrics(scores, 0)
    >>> metrics.recall.tolist(), metrics.precision.tolist(), metrics.support.tolist()
    ([0.5, 1.0], [1.0, 0.5], [2, 1])
    """
    tally = scores.tallies[model]
    classes = max(min_classes, len(scores.true), len(tally.predicted))
    support, predicted = scores.true.vector(classes), tally.predicted.vector(classes)
    hits = np.array([tally.confusion.get((label, label), 0) for label in range(classes)], np.int64)
    return ClassMetrics(
        precision=_shares(hits, predicted),
        recall=_shares(hits, support),
        f1=_shares(2 * hits, predicted + support),
        support=support,
        forgetting=_forgetting(scores.scored_slices.table(classes), tally.right_slices.table(classes)),
    )


def frequent_classes(scores: Prequential, max_classes: int) -> list[int]:
    """The classes with the most scored examples, at most ``max_classes``, in the order of their numbers."""
    support = scores.true.vector(len(scores.true))
    order = np.lexsort((np.arange(len(support)), -support))[:max_classes]
    return sorted(label for label in order.tolist() if support[label] > 0)


def _shares(part: IntArray, whole: IntArray) -> FloatArray:
    shares: FloatArray = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return shares


def _forgetting(scored: IntArray, right: IntArray) -> FloatArray:
    """Each class's best recall in a slice minus that in the newest slice with enough examples of it."""
    enough = scored >= MIN_IN_SLICE
    recalls = np.divide(right, scored, out=np.full(scored.shape, -1.0), where=enough)
    newest = scored.shape[1] - 1 - np.argmax(enough[:, ::-1], axis=1)
    lost = recalls.max(axis=1, initial=-1.0) - recalls[np.arange(len(scored)), newest]
    forgetting: FloatArray = np.where(enough.any(axis=1), lost, np.nan)
    return forgetting
