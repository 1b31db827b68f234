"""`ridge`: streaming ridge regression on random features, which does not forget and can unlearn."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import frozen
from prequel.services.learner.kernels.lapack import factorise, inverse_diagonal, solve
from prequel.services.learner.kernels.projection import random_features
from prequel.services.learner.models.base import Matrix
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.labelled_sample import LabelledRows
from prequel.services.learner.models.least_squares import LeastSquares, one_hot
from prequel.services.learner.models.projection import splitmix
from prequel.services.learner.models.solver import NO_EXAMPLES, HeldOut, Solved
from prequel.services.learner.models.sums import Sums
from prequel.services.learner.portable import steps

Array = npt.NDArray[np.float64]

INPUTS = 4
"""How many features each random one is made of. Of one alone, there would be no interactions between features; of 8, of
32 or of all (dense, Gaussian, as in RanPAC) held-out accuracy was the same within 0.3 points on five sets, for up to a
hundred times the work. With the penalty chosen, standardised inputs too made no difference to any."""
PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""What is tried, times a feature's mean square. The best one is a matter of the data (30 on MNIST through MobileNetV2,
100 through `compact`, 1,000 on CIFAR-10), and the same for 500 examples as for 3,000; a step of 3 from it costs about
0.3 points of accuracy, a step of 10 up to 2."""


def ridge(dim: int, *, seed: int, width: int, shrinkage: float | None) -> Discriminant:
    """Least squares from ``width`` random features to one output for each class.

    After RanPAC (McDonnell et al., "RanPAC: Random projections and pre-trained models for continual learning", NeurIPS
    2023), with features drawn from ``seed``: see ``RandomFeatures``. The penalty on the weights is the one that
    predicts examples best that it was not fitted to: see ``RidgeSolver``; ``shrinkage`` (above 0) instead is a fixed
    one, times the sum of a feature's squares. Labels do not depend on the order of the stream. ``unlearn`` is exact up
    to rounding.

    >>> import numpy as np
    >>> model = ridge(2, seed=0, width=64, shrinkage=None)
    >>> predictions = model.fold(np.array([[0, 1], [1, 0]] * 20, np.float32), ["cat", "dog"] * 20)
    >>> model.labels, predictions[-1].argmax().item()
    (['cat', 'dog'], 1)
    """
    transform = RandomFeatures(dim, width, seed)
    return Discriminant(dim, RidgeSolver(shrinkage), seed=seed, width=width, transform=transform, sharpness=5.0)


class RandomFeatures:
    """max(0, a sum of INPUTS features, drawn at random, with random signs): [n, dim] to [n, width], float32."""

    def __init__(self, dim: int, width: int, seed: int) -> None:
        random = np.ascontiguousarray(splitmix(seed, width * INPUTS).reshape(width, INPUTS).T)
        self._places = ((random >> np.uint64(1)) % np.uint64(dim)).astype(np.int32)
        self._signs = np.where(random & np.uint64(1), 1.0, -1.0)
        self._scale = 1.0 / float(np.sqrt(INPUTS))
        self._width = width

    def __call__(self, xs: Matrix) -> Matrix:
        out = np.empty((len(xs), self._width), np.float32)
        random_features(frozen(xs), self._places, self._signs, self._scale, np.zeros(self._width), out)
        return out

    def portable(self) -> steps.RandomFeatures:
        """The same as a step of a model that leaves."""
        return steps.RandomFeatures(self._places, self._signs, self._scale)


class RidgeSolver:
    """Solves sums for the least squares with one-hot targets: (second + penalty) weights = totals.

    The penalty is chosen among PENALTIES with every solve: the one with the least squared error on the labelled sample,
    of which each row is predicted by the others (PRESS; Allen, "The relationship between variable selection and data
    augmentation", Technometrics 16, 1974). So it depends on the examples alone, as the sums do: not on their order, nor
    on what was learned and corrected since. A few hundred rows suffice, since the best penalty does not grow with their
    number: it is the variance of the noise over that of the weights.
    """

    def __init__(self, shrinkage: float | None) -> None:
        self._shrinkage = shrinkage

    def __call__(self, sums: Sums, classes: int, *, held_out: bool) -> Solved:
        equations = LeastSquares.of(sums)
        penalty = self._penalty(equations, sums, classes)
        offsets = np.where(sums.counts[:classes] > 0, 0.0, NO_EXAMPLES)
        if not penalty > 0.0:
            return Solved(np.zeros((classes, sums.dim)), offsets, None)
        weights, scores = equations.solve(sums, classes, penalty, held_out=held_out)
        if scores is not None:
            _leave_out_the_only(scores, sums.sample(), sums.counts[:classes])
        return Solved(weights, offsets, scores)

    def leave_out(self, sums: Sums, classes: int) -> HeldOut:
        equations = LeastSquares.of(sums)
        penalty = self._penalty(equations, sums, classes)
        if not penalty > 0.0:
            return lambda rows: np.zeros((len(rows.rows), classes))

        def held_out(rows: LabelledRows) -> Array:
            scores = equations.held_out(sums, classes, penalty, rows)
            _leave_out_the_only(scores, rows, sums.counts[:classes])
            return scores

        return held_out

    def _penalty(self, equations: LeastSquares, sums: Sums, classes: int) -> float:
        if self._shrinkage is not None:
            return self._shrinkage * equations.squares
        unit = equations.squares / max(sums.count, 1e-9)
        return choose_penalty(equations.products, equations.targets(sums, classes), unit) if unit > 0.0 else 0.0


def choose_penalty(products: Array, targets: Array, unit: float) -> float:
    """The penalty among PENALTIES, times ``unit``, with the least squared error of rows predicted by the others.

    ``products`` [n, n] are the inner products of rows (lower triangle) with the ``targets`` [n, classes]; both times
    the square root of what a row weighs. Of equally good penalties the largest, also without any rows.
    """
    if not len(products):  # All were forgotten, and rounding has left something of their sums.
        return max(PENALTIES) * unit
    rows = np.ascontiguousarray(targets.T)
    errors = {penalty: _held_out_error(products, rows, penalty * unit) for penalty in reversed(PENALTIES)}
    return min(errors, key=errors.__getitem__) * unit


def _held_out_error(products: Array, targets: Array, penalty: float) -> float:
    """The squared error, in sum, of ``targets`` [classes, n] of rows with these inner products [n, n]."""
    gram = products.copy(order="F")
    gram[np.diag_indices(len(gram))] += penalty
    if not factorise(gram):
        return np.inf
    solved = solve(gram, targets)
    return float(np.square(solved / inverse_diagonal(gram)).sum())


def _leave_out_the_only(scores: Array, sample: LabelledRows, counts: Array) -> None:
    """Classes without another example than the row itself have no score."""
    _, owners, own = sample
    left = counts - own[:, None] * one_hot(owners, len(counts))
    scores[left < 1e-9] = NO_EXAMPLES
