"""The routines of BLAS and LAPACK that solving sums takes, called without the interpreter's lock."""

import ctypes
from functools import cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba.extending import get_cython_function_address
from scipy.linalg import cython_blas, cython_lapack

Array = npt.NDArray[np.float64]
AnyFloat = TypeVar("AnyFloat", np.float32, np.float64)
Matrix = npt.NDArray[AnyFloat]
"""In single precision, a factor takes half the time."""

# SciPy's own wrappers keep the lock, so that decoding and serving in the same process would stand still while a model
# is solved. These are the very same compiled routines, which SciPy exports for Cython, and give the same bits.
_BLAS, _LAPACK = cython_blas.__name__, cython_lapack.__name__
_LEFT, _LOWER, _PLAIN = ctypes.c_char(b"L"), ctypes.c_char(b"L"), ctypes.c_char(b"N")
_TRANSPOSED = ctypes.c_char(b"T")


def rank_update(matrix: Array, rows: Array, *, scale: float, keep: float) -> None:
    """matrix = keep * matrix + scale * rowsᵀ rows, in place: the lower triangle of a [dim, dim] in Fortran order."""
    (count, dim), factor, share = rows.shape, ctypes.c_double(scale), ctypes.c_double(keep)
    _call(_BLAS, "dsyrk", _LOWER, _PLAIN, dim, count, factor, rows.T, dim, share, matrix, dim)


def multiply(matrix: Array, sides: Array) -> Array:
    """matrix x for every row x of ``sides`` [n, dim], given the lower triangle of a symmetric matrix [dim, dim]."""
    (count, dim), one, none = sides.shape, ctypes.c_double(1.0), ctypes.c_double(0.0)
    products, sides = np.zeros((count, dim)), np.ascontiguousarray(sides)
    _call(_BLAS, "dsymm", _LEFT, _LOWER, dim, count, one, matrix, dim, sides.T, dim, none, products.T, dim)
    return products


def factorise(matrix: Matrix[AnyFloat]) -> bool:
    """Cholesky's factor into the lower triangle of ``matrix`` [dim, dim], Fortran order, in place.

    False if the matrix is not positive definite; its contents are then of no use.
    """
    failed, dim = ctypes.c_int(0), len(matrix)
    _call(_LAPACK, _precision(matrix) + "potrf", _LOWER, dim, matrix, dim, failed)
    return failed.value == 0


def solve(factor: Matrix[AnyFloat], sides: Matrix[AnyFloat]) -> Matrix[AnyFloat]:
    """The solutions x of matrix x = side for every row of ``sides`` [n, dim], given the matrix's Cholesky factor."""
    solved, failed = sides.copy(order="C"), ctypes.c_int(0)
    count, dim = sides.shape
    _call(_LAPACK, _precision(factor) + "potrs", _LOWER, dim, count, factor, dim, solved.T, dim, failed)
    return solved


def halve(factor: Matrix[AnyFloat], sides: Matrix[AnyFloat]) -> Matrix[AnyFloat]:
    """The solutions x of factor x = side for every row of ``sides`` [n, dim]: half of what ``solve`` does.

    Their squared lengths are side · matrix⁻¹ side.
    """
    solved, failed = sides.copy(order="C"), ctypes.c_int(0)
    count, dim = sides.shape
    _call(_LAPACK, _precision(factor) + "trtrs", _LOWER, _PLAIN, _PLAIN, dim, count, factor, dim, solved.T, dim, failed)
    return solved


def inverse_diagonal(factor: Array) -> Array:
    """The diagonal [dim] of a matrix's inverse, given its Cholesky factor, above whose diagonal there must be zeros.

    It takes a third of the time of ``halve`` with the identity.
    """
    failed, dim, inverse = ctypes.c_int(0), len(factor), factor.copy(order="F")
    _call(_LAPACK, "dtrtri", _LOWER, _PLAIN, dim, inverse, dim, failed)
    diagonal: Array = np.einsum("ij,ij->j", inverse, inverse)
    return diagonal


def inner_products(rows: Array, *, scale: float, ridge: float) -> Array:
    """scale rows rowsᵀ + ridge I, the lower triangle in Fortran order; above the diagonal are zeros."""
    count, dim = rows.shape
    gram = np.zeros((count, count), order="F")
    if count:
        factor, none, rows = ctypes.c_double(scale), ctypes.c_double(0.0), np.ascontiguousarray(rows)
        _call(_BLAS, "dsyrk", _LOWER, _TRANSPOSED, count, dim, factor, rows.T, dim, none, gram, count)
    gram[np.diag_indices(count)] += ridge
    return gram


def _precision(matrix: npt.NDArray[Any]) -> str:
    """The letter that a routine's name begins with."""
    return "s" if matrix.dtype == np.float32 else "d"


def _call(module: str, name: str, *arguments: Any) -> None:
    """Call a routine of Fortran, which takes every argument by its address; its name begins with its precision."""
    wanted = np.float32 if name[0] == "s" else np.float64
    for argument in arguments:
        if isinstance(argument, np.ndarray) and (argument.dtype != wanted or not argument.flags.f_contiguous):
            found = f"{argument.dtype} with strides {argument.strides}"
            raise ValueError(f"{name} reads {np.dtype(wanted)} in Fortran order, but got {found}")
    _routine(module, name, len(arguments))(*map(_address, arguments))


def _address(argument: Any) -> Any:
    if not isinstance(argument, np.ndarray):
        return ctypes.byref(ctypes.c_int(argument) if isinstance(argument, int) else argument)
    return argument.ctypes.data


@cache
def _routine(module: str, name: str, arguments: int) -> Any:
    """A function of ctypes, which releases the interpreter's lock while it runs."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(get_cython_function_address(module, name))
