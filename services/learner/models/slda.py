"""`slda`: streaming linear discriminant analysis, which does not forget and takes back what it learned."""

import numpy as np
import numpy.typing as npt

from services.learner.models.discriminant import Discriminant
from services.learner.models.lapack import factorise, rank_update, solve
from services.learner.models.projection import Projection
from services.learner.models.score_kernels import correlate
from services.learner.models.sums import Sums

Array = npt.NDArray[np.float64]

_NEVER = -1e100
_LEAST_SHRINKAGE = 0.2


def slda(dim: int, *, seed: int, width: int = 2048, shrinkage: float | None = None, decay: float = 0.0) -> Discriminant:
    """Streaming LDA (Hayes and Kanan, "Lifelong Machine Learning with Deep Streaming LDA", CVPR workshop 2020).

    Vectors wider than ``width`` are projected to it. ``decay`` is the share of all sums that fades with each example
    (0: nothing does, and only then is unlearning exact).
    """
    transform = Projection(dim, width, seed) if dim > width else None
    return Discriminant(dim, Lda(shrinkage), seed=seed, width=min(dim, width), transform=transform, fading=1.0 - decay)


class Lda:
    """Solves sums for the linear discriminant: Gaussian classes with one covariance in common.

    The pooled within-class covariance, scaled to a correlation matrix, is shrunken towards the identity by
    ``shrinkage`` (None: dim / (dim + examples), but at least 0.2). Features that never vary are left out; those that
    vary only between classes count as if a hundredth of their deviation was within.
    """

    def __init__(self, shrinkage: float | None) -> None:
        self._shrinkage = shrinkage

    def __call__(self, sums: Sums, classes: int) -> tuple[Array, Array]:
        counts, totals = sums.counts[:classes], sums.totals[:classes]
        present, count = counts > 0, float(counts.sum())
        if not present.any():
            return np.zeros((classes, sums.dim)), np.zeros(classes)
        parts = totals[present] / np.sqrt(counts[present])[:, None]
        scatter = sums.second.copy(order="F")
        rank_update(scatter, parts, scale=-1.0, keep=1.0)
        overall = totals.sum(axis=0) / count
        inverse = _inverse_deviations(scatter.diagonal() / count, sums.second.diagonal() / count, overall)
        means = np.zeros((classes, sums.dim))
        means[present] = (totals[present] / counts[present, None] - overall) * inverse
        solved = self._solve(scatter, inverse, means, count)
        weights = np.ascontiguousarray(solved * inverse)
        offsets = np.full(classes, _NEVER)
        offsets[present] = -0.5 * (means * solved).sum(axis=1)[present] + np.log(counts[present] / count)
        offsets[present] -= (weights @ overall)[present]
        return weights, offsets

    def _solve(self, scatter: Array, inverse: Array, means: Array, count: float) -> Array:
        shrinkage = self._shrinkage or max(_LEAST_SHRINKAGE, len(inverse) / (len(inverse) + count))
        correlate(scatter, inverse, (1.0 - shrinkage) / count, shrinkage)
        # Rounding may have made the matrix indefinite, as happens when values differ by many orders of magnitude.
        return solve(scatter, means) if factorise(scatter) else means


def _inverse_deviations(within: Array, moment: Array, mean: Array) -> Array:
    total = moment - mean**2
    scale = np.maximum(within, 1e-4 * total)
    varies = total > 1e-10 * moment
    return np.where(varies, 1.0 / np.sqrt(np.where(varies, scale, 1.0)), 0.0)
