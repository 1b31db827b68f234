"""How this package compiles its kernels: one decorator over Numba, and what it promises."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Function = TypeVar("Function", bound=Callable[..., object])

LANES = 64
"""Partial sums in every reduction: enough for full vector registers, and part of a kernel's result."""


def kernel(function: Function) -> Function:
    """Compile on first call, cached on disk, without the interpreter's lock, in strict IEEE arithmetic.

    Strict arithmetic (no fast-math, no contraction, no threads) makes results depend on the source alone; kernels get
    their speed from sums written as ``LANES`` partial sums. A kernel calls only kernels of its own file, since
    Numba's cache does not see changes in other files.
    """
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def frozen(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The array as read-only: to Numba writeable and read-only arrays are two types, each compiled by itself."""
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
