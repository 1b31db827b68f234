"""The four routines of BLAS and LAPACK that solving sums takes, called without the interpreter's lock."""

import ctypes
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.extending import get_cython_function_address
from scipy.linalg import cython_blas, cython_lapack

Array = npt.NDArray[np.float64]

# SciPy's own wrappers keep the lock, so that decoding and serving in the same process would stand still while a model
# is solved. These are the very same compiled routines, which SciPy exports for Cython, and give the same bits.
_BLAS, _LAPACK = cython_blas.__name__, cython_lapack.__name__
_LOWER, _PLAIN = ctypes.c_char(b"L"), ctypes.c_char(b"N")


def rank_update(matrix: Array, rows: Array, *, scale: float, keep: float) -> None:
    """matrix = keep * matrix + scale * rowsᵀ rows, in place: the lower triangle of a [dim, dim] in Fortran order."""
    (count, dim), factor, share = rows.shape, ctypes.c_double(scale), ctypes.c_double(keep)
    _call(_BLAS, "dsyrk", _LOWER, _PLAIN, dim, count, factor, rows.T, dim, share, matrix, dim)


def factorise(matrix: Array) -> bool:
    """Cholesky's factor into the lower triangle of ``matrix`` [dim, dim], Fortran order, in place.

    False if the matrix is not positive definite; its contents are then of no use.
    """
    failed, dim = ctypes.c_int(0), len(matrix)
    _call(_LAPACK, "dpotrf", _LOWER, dim, matrix, dim, failed)
    return failed.value == 0


def solve(factor: Array, sides: Array) -> Array:
    """The solutions x of matrix x = side for every row of ``sides`` [n, dim], given the matrix's Cholesky factor."""
    solved, failed = sides.copy(order="C"), ctypes.c_int(0)
    count, dim = sides.shape
    _call(_LAPACK, "dpotrs", _LOWER, dim, count, factor, dim, solved.T, dim, failed)
    return solved


def halve(factor: Array, sides: Array) -> Array:
    """The solutions x of factor x = side for every row of ``sides`` [n, dim]: half of what ``solve`` does.

    Their squared lengths are side · matrix⁻¹ side.
    """
    solved, failed = sides.copy(order="C"), ctypes.c_int(0)
    count, dim = sides.shape
    _call(_LAPACK, "dtrtrs", _LOWER, _PLAIN, _PLAIN, dim, count, factor, dim, solved.T, dim, failed)
    return solved


def inner_products(rows: Array, *, scale: float, ridge: float) -> Array:
    """scale rows rowsᵀ + ridge I, the lower triangle in Fortran order."""
    gram = np.zeros((len(rows), len(rows)), order="F")
    if len(rows):
        rank_update(gram, np.ascontiguousarray(rows.T), scale=scale, keep=0.0)
    gram[np.diag_indices(len(rows))] += ridge
    return gram


def _call(module: str, name: str, *arguments: Any) -> None:
    """Call a routine of Fortran, which takes every argument by its address."""
    _routine(module, name, len(arguments))(*map(_address, arguments))


def _address(argument: Any) -> Any:
    if not isinstance(argument, np.ndarray):
        return ctypes.byref(ctypes.c_int(argument) if isinstance(argument, int) else argument)
    if argument.dtype != np.float64 or not argument.flags.f_contiguous:
        raise ValueError(
            f"the routine reads float64 in Fortran order, but got {argument.dtype} with strides {argument.strides}"
        )
    return argument.ctypes.data


@cache
def _routine(module: str, name: str, arguments: int) -> Any:
    """A function of ctypes, which releases the interpreter's lock while it runs."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(get_cython_function_address(module, name))
