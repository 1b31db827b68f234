"""`slda`: streaming linear discriminant analysis, which does not forget and can unlearn."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import factorise, rank_update, solve, solve_few
from prequel.services.learner.kernels.moments import correlate
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.projection import Projection
from prequel.services.learner.models.sums import Sums

Array = npt.NDArray[np.float64]

_NO_EXAMPLES = -1e100
"""The offset of a class without examples: its probability is 0, and still finite before the softmax."""
_MIN_SHRINKAGE = 0.2
"""The least shrinkage, even with many examples: it keeps every eigenvalue of the correlations at 0.2 or above, so that
solving multiplies the noise in a mean at most fivefold. Features of a backbone are so correlated that some eigenvalues
are nearly 0."""


def slda(dim: int, *, seed: int, width: int, shrinkage: float | None, decay: float) -> Discriminant:
    """Streaming LDA (Hayes and Kanan, "Lifelong machine learning with deep streaming LDA", CVPR workshop 2020).

    Vectors wider than ``width`` are projected to it, by a projection drawn from ``seed``. ``shrinkage`` (above 0, at
    most 1) goes towards uncorrelated features; None lets it depend on how many examples there are: see ``LdaSolver``.
    ``decay`` (0 to 0.5) is the share of all sums that fades with each example; with 0 nothing fades, labels do not
    depend on the order of the stream, and ``unlearn`` is exact up to rounding. With more it raises NotImplementedError.

    >>> import numpy as np
    >>> model = slda(2, seed=0, width=2048, shrinkage=None, decay=0.0)
    >>> random = np.random.default_rng(0)
    >>> xs = random.normal(size=(60, 2)).astype(np.float32) + np.tile([[0, 0], [5, 5]], (30, 1)).astype(np.float32)
    >>> predictions = model.fold(xs, ["cat", "dog"] * 30)
    >>> model.labels, model.predict(np.array([5, 4], np.float32)).argmax().item()
    (['cat', 'dog'], 1)
    """
    transform = Projection(dim, width, seed) if dim > width else None
    solver = LdaSolver(shrinkage)
    return Discriminant(dim, solver, seed=seed, width=min(dim, width), transform=transform, fading=1.0 - decay)


class LdaSolver:
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
        overall = totals.sum(axis=0) / count
        centres = np.zeros((classes, sums.dim))
        centres[present] = totals[present] / counts[present, None]
        solve = self._solve_examples if sums.stores_examples else self._solve_moment
        inverse, means, solved = solve(sums, centres, overall, count)
        weights = np.ascontiguousarray(solved * inverse)
        offsets = np.full(classes, _NO_EXAMPLES)
        offsets[present] = -0.5 * (means * solved).sum(axis=1)[present] + np.log(counts[present] / count)
        offsets[present] -= (weights @ overall)[present]
        return weights, offsets

    def _solve_moment(self, sums: Sums, centres: Array, overall: Array, count: float) -> tuple[Array, Array, Array]:
        """From the second moment: the inverse deviations, the classes' means in these units, and the solved means."""
        scatter, counts = sums.second.copy(order="F"), sums.counts[: len(centres)]
        rank_update(scatter, centres * np.sqrt(np.maximum(counts, 0.0))[:, None], scale=-1.0, keep=1.0)
        inverse = _inverse_deviations(scatter.diagonal() / count, sums.second.diagonal() / count, overall)
        means = _scaled_means(centres, counts, overall, inverse)
        shrinkage = self._shrink(inverse, count)
        correlate(scatter, inverse, (1.0 - shrinkage) / count, shrinkage)
        # Rounding may have made the matrix indefinite, as happens when values differ by many orders of magnitude.
        return inverse, means, solve(scatter, means) if factorise(scatter) else means

    def _solve_examples(self, sums: Sums, centres: Array, overall: Array, count: float) -> tuple[Array, Array, Array]:
        """The same from the examples themselves, without any matrix of dim x dim."""
        rows = sums.rows()
        moment = np.square(rows).sum(axis=0) / count
        rows -= centres[sums.classes()]
        inverse = _inverse_deviations(np.square(rows).sum(axis=0) / count, moment, overall)
        means = _scaled_means(centres, sums.counts[: len(centres)], overall, inverse)
        shrinkage = self._shrink(inverse, count)
        solved = solve_few(rows * inverse, means, share=(1.0 - shrinkage) / count, ridge=shrinkage)
        return inverse, means, means if solved is None else solved

    def _shrink(self, inverse: Array, count: float) -> float:
        return self._shrinkage or max(_MIN_SHRINKAGE, len(inverse) / (len(inverse) + count))


def _scaled_means(centres: Array, counts: Array, overall: Array, inverse: Array) -> Array:
    """Zero for classes that have no example."""
    return np.where(counts[:, None] > 0, (centres - overall) * inverse, 0.0)


def _inverse_deviations(within: Array, moment: Array, mean: Array) -> Array:
    """One over each feature's deviation within classes, [dim]; 0 for features that never vary, up to rounding."""
    total = moment - mean**2
    scale = np.maximum(within, 1e-4 * total)
    varies = total > 1e-10 * moment
    return np.where(varies, 1.0 / np.sqrt(np.where(varies, scale, 1.0)), 0.0)
