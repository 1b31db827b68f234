"""`ridge`: streaming ridge regression on random features, which does not forget and takes back what it learned."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import factorise, inner_products, solve
from prequel.services.learner.models.base import Matrix
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.projection import Projection
from prequel.services.learner.models.sums import Sums

Array = npt.NDArray[np.float64]

_NEVER = -1e100


def ridge(dim: int, *, seed: int, width: int = 2048, shrinkage: float = 0.1) -> Discriminant:
    """Least squares from ``width`` random features max(0, projection) to one output a class.

    After RanPAC (McDonnell et al., NeurIPS 2023), with a sparse projection and the penalty ``shrinkage`` times the
    features' mean square.
    """
    return Discriminant(
        dim, Ridge(shrinkage), seed=seed, width=width, transform=Features(dim, width, seed), sharpness=5.0
    )


class Features:
    """A random projection, cut off at zero."""

    def __init__(self, dim: int, width: int, seed: int) -> None:
        self._projection = Projection(dim, width, seed)

    def __call__(self, xs: Matrix) -> Matrix:
        out = self._projection(xs)
        return np.maximum(out, 0.0, out=out)


class Ridge:
    """Solves sums for the least squares with one-hot targets: (second + penalty) weights = totals."""

    def __init__(self, shrinkage: float) -> None:
        self._shrinkage = shrinkage

    def __call__(self, sums: Sums, classes: int) -> tuple[Array, Array]:
        offsets = np.where(sums.counts[:classes] > 0, 0.0, _NEVER)
        rows = sums.rows()
        energy = float(np.square(rows).sum() if sums.few else sums.second.trace())
        penalty = self._shrinkage * energy / sums.dim
        if not penalty > 0.0:
            return np.zeros((classes, sums.dim)), offsets
        if sums.few:
            return _few(rows, sums.owners[: sums.filled], classes, penalty), offsets
        penalised = sums.second.copy(order="F")
        penalised[np.diag_indices(sums.dim)] += penalty
        if not factorise(penalised):
            return sums.totals[:classes] / max(penalty, 1e-300), offsets
        return solve(penalised, sums.totals[:classes]), offsets


def _few(rows: Array, owners: npt.NDArray[np.int64], classes: int, penalty: float) -> Array:
    """The same weights as rowsᵀ (rows rowsᵀ + penalty)⁻¹ targets: as many equations as there are examples."""
    targets = (owners == np.arange(classes)[:, None]).astype(np.float64)
    gram = inner_products(rows, scale=1.0, ridge=penalty)
    weights: Array = (solve(gram, targets) if factorise(gram) else targets / max(penalty, 1e-300)) @ rows
    return weights
