"""`ridge`: streaming ridge regression on random features, which does not forget and can unlearn."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import factorise, halve, inner_products, solve
from prequel.services.learner.models.base import Matrix
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.projection import Projection
from prequel.services.learner.models.solver import NO_EXAMPLES, Solved
from prequel.services.learner.models.sums import Sums

Array = npt.NDArray[np.float64]


def ridge(dim: int, *, seed: int, width: int, shrinkage: float) -> Discriminant:
    """Least squares from ``width`` random features, max(0, projection), to one output for each class.

    After RanPAC (McDonnell et al., "RanPAC: Random projections and pre-trained models for continual learning", NeurIPS
    2023), with a sparse projection drawn from ``seed``. ``shrinkage`` (above 0) times the features' mean square is the
    penalty on the weights. Labels do not depend on the order of the stream. ``unlearn`` is exact up to rounding.

    >>> import numpy as np
    >>> model = ridge(2, seed=0, width=64, shrinkage=0.1)
    >>> predictions = model.fold(np.array([[0, 1], [1, 0]] * 20, np.float32), ["cat", "dog"] * 20)
    >>> model.labels, predictions[-1].argmax().item()
    (['cat', 'dog'], 1)
    """
    transform = RandomFeatures(dim, width, seed)
    return Discriminant(dim, RidgeSolver(shrinkage), seed=seed, width=width, transform=transform, sharpness=5.0)


class RandomFeatures:
    """A random projection, cut off at zero: [n, dim] to [n, width], float32."""

    def __init__(self, dim: int, width: int, seed: int) -> None:
        self._projection = Projection(dim, width, seed)

    def __call__(self, xs: Matrix) -> Matrix:
        out = self._projection(xs)
        return np.maximum(out, 0.0, out=out)


class RidgeSolver:
    """Solves sums for the least squares with one-hot targets: (second + penalty) weights = totals."""

    def __init__(self, shrinkage: float) -> None:
        self._shrinkage = shrinkage

    def __call__(self, sums: Sums, classes: int, *, held_out: bool) -> Solved:
        rows, owners = sums.rows(), sums.classes()
        energy = float(np.square(rows).sum() if sums.stores_examples else sums.second.trace())
        penalty = self._shrinkage * energy / sums.dim
        offsets = np.where(sums.counts[:classes] > 0, 0.0, NO_EXAMPLES)
        if not penalty > 0.0:
            return Solved(np.zeros((classes, sums.dim)), offsets, None)
        if sums.stores_examples:
            weights, scores = _solve_few(rows, owners, classes, penalty, held_out=held_out)
        else:
            weights, scores = _solve_moment(sums, classes, penalty, held_out=held_out)
        if scores is not None:
            _leave_out_the_only(scores, sums, classes)
        return Solved(weights, offsets, scores)


def _solve_moment(sums: Sums, classes: int, penalty: float, *, held_out: bool) -> tuple[Array, Array | None]:
    """Weights [classes, dim], and if asked for the held-out scores: without itself, an output is as much further from
    the target as 1 / (1 - leverage)."""
    matrix = sums.second.copy(order="F")
    matrix[np.diag_indices(sums.dim)] += penalty
    if not factorise(matrix):
        return sums.totals[:classes] / max(penalty, 1e-300), None
    weights = solve(matrix, sums.totals[:classes])
    if not held_out:
        return weights, None
    rows, owners = sums.sample()
    leverage = np.square(halve(matrix, rows.astype(np.float64))).sum(axis=1)[:, None]
    scores: Array = (rows @ weights.T - leverage * _one_hot(owners, classes)) / np.maximum(1.0 - leverage, 1e-9)
    return weights, scores


def _solve_few(
    rows: Array, owners: npt.NDArray[np.int64], classes: int, penalty: float, *, held_out: bool
) -> tuple[Array, Array | None]:
    """The same with weights rowsᵀ (rows rowsᵀ + penalty)⁻¹ targets: as many equations as there are examples."""
    targets = _one_hot(owners, classes)
    gram = inner_products(rows, scale=1.0, ridge=penalty)
    if not factorise(gram):
        return (targets.T / max(penalty, 1e-300)) @ rows, None
    solved = solve(gram, np.ascontiguousarray(targets.T)).T
    weights = np.ascontiguousarray(solved.T @ rows)
    if not held_out:
        return weights, None
    inverse = np.square(halve(gram, np.eye(len(rows)))).sum(axis=1)[:, None]
    return weights, targets - solved / inverse


def _one_hot(owners: npt.NDArray[np.int64], classes: int) -> Array:
    one_hot: Array = (owners[:, None] == np.arange(classes)).astype(np.float64)
    return one_hot


def _leave_out_the_only(scores: Array, sums: Sums, classes: int) -> None:
    """Classes without another example than the row itself have no score."""
    _, owners = sums.sample()
    left = sums.counts[:classes] - _one_hot(owners, classes)
    scores[left < 1e-9] = NO_EXAMPLES
