"""Kernels on the second moments of `slda` and `ridge`: lower triangles of matrices in Fortran order."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import kernel

Array = npt.NDArray[Any]

# Fortran order is what LAPACK reads: down a column, neighbours in memory. All loops here go down the columns. Only the
# lower triangle counts: the matrices are symmetric, so that half of the work and of the stored bytes is saved.


@kernel
def correlate(scatter: Array, inverse: Array, share: float, ridge: float) -> None:
    """Turn a scatter matrix into a shrunken correlation matrix, in place.

    ``scatter`` float64 [dim, dim]: element i, j becomes scatter[i, j] * inverse[i] * inverse[j] * share, and ``ridge``
    is added to the diagonal. ``inverse`` float64 [dim] holds the inverse deviations.
    """
    for j in range(scatter.shape[0]):
        for i in range(j, scatter.shape[0]):
            scatter[i, j] *= inverse[i] * inverse[j] * share
        scatter[j, j] += ridge


@kernel
def add(matrix: Array, product: Array, keep: float) -> None:
    """matrix = keep * matrix + product, float64 [dim, dim], in place."""
    for j in range(matrix.shape[0]):
        for i in range(j, matrix.shape[0]):
            matrix[i, j] = keep * matrix[i, j] + product[i, j]


@kernel
def pack(matrix: Array, packed: Array) -> None:
    """Write the triangle of ``matrix`` float64 [dim, dim] into ``packed`` [dim (dim + 1) / 2], column after column."""
    at = 0
    for j in range(matrix.shape[0]):
        for i in range(j, matrix.shape[0]):
            packed[at] = matrix[i, j]
            at += 1


@kernel
def unpack(packed: Array, matrix: Array) -> None:
    """Write ``packed`` back into the triangle of ``matrix``: the inverse of ``pack``."""
    at = 0
    for j in range(matrix.shape[0]):
        for i in range(j, matrix.shape[0]):
            matrix[i, j] = packed[at]
            at += 1


def compile() -> None:
    """Load these kernels from the cache on disk, or compile them into it: a model calls them after dozens of examples,
    or when a snapshot is written or read."""
    matrix, packed = np.zeros((2, 2), order="F"), np.zeros(3)
    correlate(matrix, np.zeros(2), 1.0, 1.0)
    add(matrix, matrix, 1.0)
    pack(matrix, packed)
    for writeable in (True, False):  # as a snapshot's bytes are; to Numba these are types of their own
        packed.flags.writeable = writeable
        unpack(packed, matrix)
