"""Least squares with a penalty, from sums: for other classes of the same rows no matrix is factorised again."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import factorise, halve, inner_products, inverse_diagonal, solve
from prequel.services.learner.models.labelled_sample import SIZE, LabelledRows, row_numbers
from prequel.services.learner.models.sums import Sums

Array = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]

MIN_ROWS = 64
"""Examples by which the penalty is chosen, at least, and at most as many as a labelled sample has: of 256 the choice is
at most one step from that of 1,000, and takes a tenth of the time of a solve. With 64 it is now and then two steps off.
"""


class LeastSquares:
    """What solving ``sums`` takes of their rows: nothing of it depends on the rows' classes.

    It holds for as long as the rows do: ``of`` keeps it beside them. A correction changes classes alone, so a solve
    after it takes a tenth of the time, and needs as much memory again as the second moment until more is learned.
    """

    def __init__(self, sums: Sums) -> None:
        matrix = _matrix(sums)
        self.squares = float(matrix.trace()) / sums.dim
        """The sum of a feature's squares, the mean over all features."""
        self._chosen = _choose(sums)
        self.products = _products(sums, matrix, self._chosen)
        """Inner products (lower triangle) of the examples by which a penalty is chosen: few of a narrow model, which is
        solved more often, and the same ones whatever their order. Each example times the square root of its weight, as
        ``targets`` are."""
        self._penalty: float | None = None
        self._matrix: Array | None = matrix
        self._factor: Array | None = None
        self._leverage: Array | None = None

    @staticmethod
    def of(sums: Sums) -> "LeastSquares":
        """The one of these rows, if it was made already."""
        if not isinstance(sums.derived, LeastSquares):
            sums.derived = LeastSquares(sums)
        return sums.derived

    def targets(self, sums: Sums, classes: int) -> Array:
        """The targets [n, classes] of the examples in ``products``."""
        targets = one_hot(sums.sample().classes[self._chosen], classes)
        return targets * _roots(sums)[self._chosen] if sums.stores_examples else targets

    def solve(self, sums: Sums, classes: int, penalty: float, *, held_out: bool) -> tuple[Array, Array | None]:
        """Weights [classes, dim], and if asked for the scores held out of the rows of ``sums.sample()``."""
        factor = self._factorised(sums, penalty)
        if factor is None:  # The penalty is lost in rounding.
            return sums.totals[:classes] / max(penalty, 1e-300), None
        if sums.stores_examples:
            return self._solve_few(sums, classes, factor, held_out=held_out)
        weights = solve(factor, sums.totals[:classes])
        return weights, self._held_out(sums, weights, factor) if held_out else None

    def held_out(self, sums: Sums, classes: int, penalty: float, rows: LabelledRows) -> Array:
        """The scores [n, classes] of learned ``rows``, each as if it had not been learned; of sums without examples."""
        factor = self._factorised(sums, penalty)
        if factor is None:
            return rows.rows @ (sums.totals[:classes] / max(penalty, 1e-300)).T
        halved = halve(factor, rows.rows.astype(np.float64))
        leverage = (rows.weights * np.einsum("ij,ij->i", halved, halved))[:, None]
        return _left_out(rows, solve(factor, sums.totals[:classes]), leverage)

    def _solve_few(self, sums: Sums, classes: int, factor: Array, *, held_out: bool) -> tuple[Array, Array | None]:
        """The weights as rowsᵀ (rows rowsᵀ + penalty)⁻¹ targets: as many equations as there are examples.

        Rows and targets count times the square root of what the example weighs; the scores held out do not.
        """
        targets, roots = one_hot(sums.classes(), classes), _roots(sums)
        solved = solve(factor, np.ascontiguousarray((targets * roots).T)).T
        weights = np.ascontiguousarray((solved * roots).T @ sums.rows())
        if not held_out:
            return weights, None
        if self._leverage is None:
            self._leverage = inverse_diagonal(factor)[:, None]
        return weights, targets - solved / (self._leverage * roots)

    def _held_out(self, sums: Sums, weights: Array, factor: Array) -> Array:
        rows, _, own = sums.sample()
        if self._leverage is None:
            self._leverage = (own * np.square(halve(factor, rows.astype(np.float64))).sum(axis=1))[:, None]
        return _left_out(sums.sample(), weights, self._leverage)

    def _factorised(self, sums: Sums, penalty: float) -> Array | None:
        """Cholesky's factor of the second moment, or of the stored examples' inner products, with the penalty."""
        if penalty != self._penalty:
            matrix, self._matrix = _matrix(sums) if self._matrix is None else self._matrix, None
            matrix[np.diag_indices(len(matrix))] += penalty
            self._factor = matrix if factorise(matrix) else None
            self._penalty, self._leverage = penalty, None
        return self._factor


def one_hot(owners: Classes, classes: int) -> Array:
    """The targets [n, classes] of rows of the classes ``owners`` [n]."""
    targets: Array = (owners[:, None] == np.arange(classes)).astype(np.float64)
    return targets


def _left_out(sample: LabelledRows, weights: Array, leverage: Array) -> Array:
    """Without itself, a row's output is as much further from the target as 1 / (1 - leverage), which is [n, 1]."""
    rows, owners, _ = sample
    left = np.maximum(1.0 - leverage, 1e-9)
    scores: Array = (rows @ weights.T - leverage * one_hot(owners, len(weights))) / left
    return scores


def _matrix(sums: Sums) -> Array:
    if not sums.stores_examples:
        return sums.scatter()
    products, roots = inner_products(sums.rows(), scale=1.0, ridge=0.0), _roots(sums)
    products *= roots
    products *= roots.T
    return products


def _roots(sums: Sums) -> Array:
    """The square roots [n, 1] of what the stored examples weigh. Never 0: after 300 drifts a tenth of a tenth is."""
    roots: Array = np.sqrt(np.maximum(sums.weights(), 1e-200))[:, None]
    return roots


def _choose(sums: Sums) -> Classes:
    """Which rows of ``sums.sample()`` a penalty is chosen by; where all examples are stored, by random numbers."""
    rows = sums.sample().rows
    limit = min(SIZE, max(MIN_ROWS, sums.dim // 8))
    if not sums.stores_examples or len(rows) <= limit:
        return np.arange(min(len(rows), limit))
    return np.argsort(-row_numbers(rows), kind="stable")[:limit]


def _products(sums: Sums, matrix: Array, chosen: Classes) -> Array:
    if sums.stores_examples:
        return np.tril(matrix[np.maximum.outer(chosen, chosen), np.minimum.outer(chosen, chosen)])
    return inner_products(sums.sample().rows[chosen].astype(np.float64), scale=1.0, ridge=0.0)
