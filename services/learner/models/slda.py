"""`slda`: streaming linear discriminant analysis, which does not forget and can unlearn."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import factorise, rank_update
from prequel.services.learner.kernels.moments import correlate
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.factors import DenseFactor, Factor, FewRows, RefinedFactor
from prequel.services.learner.models.labelled_sample import LabelledRows
from prequel.services.learner.models.projection import Projection
from prequel.services.learner.models.solver import NO_EXAMPLES, HeldOut, Solved
from prequel.services.learner.models.sums import Sums

Array = npt.NDArray[np.float64]

_FIRST_SHARPNESS = 4.0
"""Over the number of features, the sharpness before anything has been measured. In so few examples that each class has
one, squared distances are about twice the number of features, and differ by a tenth to a half of that: the most likely
class then gets two to three times the probability of another."""
_ROUNDING = 4.0 * 2.0**-52
"""What stays of the largest sum that was added and taken away: half a bit for each of dozens of blocks, at random."""
_WELL_CONDITIONED = 0.5
"""The shrinkage from which on single precision is enough: eigenvalues of the correlations of backbones' features are at
most a few hundred, and a solution is then refined to 1e-9. With 0.1 it would be 1e-6, and corrections as inexact."""
_SAFE_SHRINKAGE = 0.2
"""The shrinkage where rounding has won over a smaller one: every eigenvalue of the correlations is at least that."""


def slda(dim: int, *, seed: int, width: int, shrinkage: float | None, decay: float) -> Discriminant:
    """Streaming LDA (Hayes and Kanan, "Lifelong machine learning with deep streaming LDA", CVPR workshop 2020).

    Vectors wider than ``width`` are projected to it, by a projection drawn from ``seed``. ``shrinkage`` (above 0, at
    most 1) goes towards uncorrelated features; None lets it depend on how many examples there are: see ``LdaSolver``.
    ``decay`` (0 to 0.5) is the share of all sums that fades with each example; with 0 nothing fades, and labels do not
    depend on the order of the stream. A correction is exact up to rounding, whatever has faded since.

    >>> import numpy as np
    >>> model = slda(2, seed=0, width=2048, shrinkage=None, decay=0.0)
    >>> random = np.random.default_rng(0)
    >>> xs = random.normal(size=(60, 2)).astype(np.float32) + np.tile([[0, 0], [5, 5]], (30, 1)).astype(np.float32)
    >>> predictions = model.fold(xs, ["cat", "dog"] * 30)
    >>> model.labels, model.predict(np.array([5, 4], np.float32)).argmax().item()
    (['cat', 'dog'], 1)
    """
    transform = Projection(dim, width, seed) if dim > width else None
    return Discriminant(
        dim,
        LdaSolver(shrinkage),
        seed=seed,
        width=min(dim, width),
        transform=transform,
        fading=1.0 - decay,
        sharpness=_FIRST_SHARPNESS / min(dim, width),
    )


class _Frame(NamedTuple):
    """In what units the covariance is solved, and how it is shrunken."""

    counts: Array
    """Examples of each class [classes], 0 where rounding has left less than none."""
    centres: Array
    """The classes' means [classes, dim]; 0 without examples."""
    overall: Array
    """The mean of all [dim]."""
    inverse: Array
    """One over each feature's deviation within classes [dim]; 0 for features that never vary."""
    share: float
    """The weight of the scatter matrix in these units."""
    shrinkage: float
    """The weight of the identity."""

    def scaled(self) -> Array:
        """The classes' means [classes, dim] in units of deviations from the mean of all; 0 without examples."""
        return np.where(self.counts[:, None] > 0.0, (self.centres - self.overall) * self.inverse, 0.0)


class LdaSolver:
    """Solves sums for the linear discriminant: Gaussian classes with one covariance in common.

    The pooled within-class covariance, scaled to a correlation matrix, is shrunken towards the identity by
    ``shrinkage`` (None: dim / (dim + examples)). Features that never vary are left out. One imagined example counts
    among the deviations within classes, which deviates as all examples do from their mean: while every class has only
    one, that is all that is known.
    """

    def __init__(self, shrinkage: float | None) -> None:
        self._shrinkage = shrinkage

    def __call__(self, sums: Sums, classes: int, *, held_out: bool) -> Solved:
        counts = np.maximum(sums.counts[:classes], 0.0)
        if not counts.any():
            return Solved(np.zeros((classes, sums.dim)), np.zeros(classes), None)
        frame, factor = self._factorise(sums, counts)
        means = frame.scaled()
        solved = means if factor is None else factor.solve(means)
        weights = np.ascontiguousarray(solved * frame.inverse)
        offsets = _priors(counts, counts.sum()) - 0.5 * (means * solved).sum(axis=1) - weights @ frame.overall
        scores = _held_out(sums.sample(), frame, factor, means, solved) if held_out and factor is not None else None
        return Solved(weights, np.where(counts > 0.0, offsets, NO_EXAMPLES), scores)

    def leave_out(self, sums: Sums, classes: int) -> HeldOut:
        counts = np.maximum(sums.counts[:classes], 0.0)
        frame, factor = self._factorise(sums, counts) if counts.any() else (None, None)
        if frame is None or factor is None:  # Nothing was learned, or the matrix is lost in rounding.
            weights, offsets, _ = self(sums, classes, held_out=False)
            return lambda rows: rows.rows @ weights.T + offsets
        means = frame.scaled()
        solved = factor.solve(means)
        return lambda rows: _held_out(rows, frame, factor, means, solved)

    def _factorise(self, sums: Sums, counts: Array) -> tuple[_Frame, Factor | None]:
        centres = sums.totals[: len(counts)] / np.where(counts > 0.0, counts, 1.0)[:, None]
        centres[counts == 0.0] = 0.0
        return (self._few if sums.stores_examples else self._many)(sums, counts, centres)

    def _many(self, sums: Sums, counts: Array, centres: Array) -> tuple[_Frame, Factor | None]:
        """From the second moment. Rounding may have made it indefinite: then shrunken more, and at last not solved."""
        least = None
        while True:
            scatter = sums.scatter()
            moment = scatter.diagonal().copy()
            rank_update(scatter, centres * np.sqrt(counts)[:, None], scale=-1.0, keep=1.0)
            frame = self._frame(counts, centres, scatter.diagonal(), moment, sums.peak, least=least)
            correlate(scatter, frame.inverse, frame.share, frame.shrinkage)
            refined = RefinedFactor(scatter) if frame.shrinkage >= _WELL_CONDITIONED else None
            if refined is not None and refined.is_definite:
                return frame, refined
            if factorise(scatter):
                return frame, DenseFactor(scatter)
            if frame.shrinkage >= _SAFE_SHRINKAGE:
                return frame, None
            least = _SAFE_SHRINKAGE

    def _few(self, sums: Sums, counts: Array, centres: Array) -> tuple[_Frame, Factor | None]:
        """The same from the examples themselves, without any matrix of dim x dim."""
        rows, shares = sums.rows(), sums.weights()
        moment = shares @ np.square(rows)
        rows -= centres[sums.classes()]
        frame = self._frame(counts, centres, shares @ np.square(rows), moment, moment, least=None)
        rows *= np.sqrt(shares)[:, None]
        factor = FewRows(rows * frame.inverse, share=frame.share, ridge=frame.shrinkage)
        return frame, factor if factor.is_definite else None

    def _frame(
        self, counts: Array, centres: Array, within: Array, moment: Array, peak: Array, *, least: float | None
    ) -> _Frame:
        """``within`` and ``moment`` [dim] are sums of squares, about the classes' means and about 0."""
        count = float(counts.sum())
        overall = counts @ centres / count
        total = moment / count - overall**2
        degrees = max(count - float(np.count_nonzero(counts)), 0.0) + 1.0
        varies = total > np.maximum(1e-10 * moment, _ROUNDING * peak) / count
        variance = np.where(varies, (np.maximum(within, 0.0) + total) / degrees, 1.0)
        inverse = np.where(varies, 1.0 / np.sqrt(variance), 0.0)
        shrinkage = self._shrinkage or len(within) / (len(within) + count)
        noise = peak * inverse**2 / degrees
        shrinkage = max(shrinkage, least or 0.0, _ROUNDING * float(np.sqrt(noise.max() * noise.sum())))
        shrinkage = min(shrinkage, 1.0)
        return _Frame(counts, centres, overall, inverse, (1.0 - shrinkage) / degrees, shrinkage)


def _priors(counts: Array, total: Any) -> Array:
    """Logarithms of the classes' shares, of whatever shape; of no examples something finite."""
    shares: Array = np.log(np.maximum(counts, 1e-300) / total)
    return shares


def _held_out(sample: LabelledRows, frame: _Frame, factor: Factor, means: Array, solved: Array) -> Array:
    """Scores of the sample's rows without themselves, in closed form (units and mean of all stay as they are).

    With v = row - mean of its class c, w = its weight, h = v · matrix⁻¹ v, r = n / (n - w) for the examples n of c, and
    a = share w r: without the row the matrix is (matrix - a v vᵀ), the mean of c is r v away from the row, and that of
    class k is v + (mean of c - mean of k). The distances follow by Sherman and Morrison's formula. A row that cannot be
    taken out for rounding has no score.
    """
    rows, owners, own = sample
    at, counts = np.arange(len(rows)), frame.counts
    away = (rows - frame.centres[owners]) * frame.inverse
    length = factor.quadratic(away)
    ratio = counts[owners] / np.maximum(counts[owners] - own, 1e-9)
    taken_out = frame.share * own * ratio
    rest = 1.0 - taken_out * length
    across, products = away @ solved.T, means @ solved.T
    squares = products.diagonal()
    slant = across[at, owners][:, None] - across
    weight = taken_out / np.maximum(rest, 1e-9)
    distances = length[:, None] + 2.0 * slant + squares[owners][:, None] + squares - 2.0 * products[owners]
    distances += weight[:, None] * (length[:, None] + slant) ** 2
    distances[at, owners] = ratio**2 * length * (1.0 + weight * length)
    left = np.repeat(counts[None], len(rows), axis=0)
    left[at, owners] -= own
    left[rest < 1e-6] = 0.0
    scores: Array = np.where(left > 1e-9, _priors(left, counts.sum()) - 0.5 * distances, NO_EXAMPLES)
    return scores
