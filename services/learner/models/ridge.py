"""`ridge`: streaming ridge regression on random features, which does not forget and can unlearn."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import factorise, inner_products, solve
from prequel.services.learner.models.base import Matrix
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.projection import Projection
from prequel.services.learner.models.sums import Sums

Array = npt.NDArray[np.float64]

_NO_EXAMPLES = -1e100
"""The offset of a class without examples: its probability is 0, and still finite before the softmax."""


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

    def __call__(self, sums: Sums, classes: int) -> tuple[Array, Array]:
        offsets = np.where(sums.counts[:classes] > 0, 0.0, _NO_EXAMPLES)
        rows = sums.rows()
        energy = float(np.square(rows).sum() if sums.stores_examples else sums.second.trace())
        penalty = self._shrinkage * energy / sums.dim
        if not penalty > 0.0:
            return np.zeros((classes, sums.dim)), offsets
        if sums.stores_examples:
            return _weights_of_few(rows, sums.classes(), classes, penalty), offsets
        penalised = sums.second.copy(order="F")
        penalised[np.diag_indices(sums.dim)] += penalty
        if not factorise(penalised):
            return sums.totals[:classes] / max(penalty, 1e-300), offsets
        return solve(penalised, sums.totals[:classes]), offsets


def _weights_of_few(rows: Array, pending_classes: npt.NDArray[np.int64], classes: int, penalty: float) -> Array:
    """The same weights as rowsᵀ (rows rowsᵀ + penalty)⁻¹ targets: as many equations as there are examples."""
    targets = (pending_classes == np.arange(classes)[:, None]).astype(np.float64)
    gram = inner_products(rows, scale=1.0, ridge=penalty)
    weights: Array = (solve(gram, targets) if factorise(gram) else targets / max(penalty, 1e-300)) @ rows
    return weights
