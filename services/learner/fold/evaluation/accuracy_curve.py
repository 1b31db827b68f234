"""The accuracy curve: at most 500 points over the whole stream, of which any example can be taken out again."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prequel.services.learner.fold.evaluation.prequential import Prequential


class CurveSection(NamedTuple):
    """One point of the curve.

    ``end`` is the first index that is beyond it; ``scored`` the number of scored examples up to it, the curve's axis;
    ``right`` how many of them each model predicted right, ``accuracy`` its accuracy since the start, ``recent`` the
    same over about the last window.
    """

    end: int
    scored: int
    right: list[int]
    accuracy: list[float]
    recent: list[float]


def accuracy_curve(scores: Prequential) -> list[CurveSection]:
    """The points that have a scored example, oldest first.

    >>> from prequel.services.learner.fold.evaluation.prequential import ScoredLabel
    >>> scores = Prequential(models=1, window=4)
    >>> for predicted in (1, 1, 1, 0, 0, 0):
    ...     _ = scores.score(ScoredLabel(truth=0, losses=[0]), [predicted])
    >>> [(point.scored, point.accuracy, point.recent) for point in accuracy_curve(scores)]
    [(4, [0.25], [0.25]), (6, [0.5], [1.0])]
    """
    scored = np.cumsum(scores.curve_scored)
    right = np.cumsum([tally.curve for tally in scores.tallies], axis=1)
    window = max(1, scores.window // scores.stride)
    points = []
    for at in np.flatnonzero(scores.curve_scored).tolist():
        before = (int(scored[at - window]), right[:, at - window]) if at >= window else (0, 0 * right[:, 0])
        recent = (right[:, at] - before[1]) / max(1, int(scored[at]) - before[0])
        numbers = right[:, at].tolist(), (right[:, at] / scored[at]).tolist(), recent.tolist()
        points.append(CurveSection((at + 1) * scores.stride, int(scored[at]), *numbers))
    return points


def curve_positions(scores: Prequential, indices: Sequence[int]) -> list[int]:
    """Where on the curve's axis each of these indices lies, as exactly as the curve's points allow."""
    scored = np.cumsum(scores.curve_scored)
    return [int(scored[min(max(index - 1, 0) // scores.stride, len(scored) - 1)]) for index in indices]
