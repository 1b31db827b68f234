"""The product of one block of examples, shared by the second moments that it is added to."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.lapack import rank_update

Array = npt.NDArray[np.float64]


class BlockProduct:
    """Remembers the product of the newest block: models of one mixture add the same rows, one model after the other.

    A product of 64 rows of 1,280 features takes as long as adding it to two second moments.
    """

    def __init__(self) -> None:
        self._rows: Array | None = None
        self._product = np.zeros((0, 0), order="F")

    def of(self, rows: Array) -> Array:
        """rowsᵀ rows for ``rows`` [n, dim]: the lower triangle of a [dim, dim] in Fortran order, to be read only."""
        if self._rows is None or not np.array_equal(rows, self._rows):
            dim = rows.shape[1]
            if len(self._product) != dim:
                self._product = np.zeros((dim, dim), order="F")
            rank_update(self._product, rows, scale=1.0, keep=0.0)
            self._rows = rows.copy()
        return self._product

    def release(self) -> None:
        """Forget the product and give its memory back."""
        self._rows, self._product = None, np.zeros((0, 0), order="F")
