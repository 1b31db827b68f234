"""How this package compiles its kernels: one decorator over Numba, and what it promises."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Function = TypeVar("Function", bound=Callable[..., object])

LANES = 64
"""Partial sums in every reduction over features. Part of a kernel's result: another number changes the last bits.

Lane i sums the features i, i + 64, i + 128, ...; then the upper half of the lanes is added to the lower half until one
is left. Strict IEEE arithmetic forbids the compiler to reorder a sum, so a plain loop would wait for each addition
before the next; independent lanes let it fill vector registers. 64 float64 are eight registers of 512 bits, which is
what it takes to begin two additions in each cycle while one takes four cycles.
"""


def kernel(function: Function) -> Function:
    """Compile on the first call, cached on disk, without the interpreter's lock, in strict IEEE arithmetic.

    - No ``fastmath``, no contraction, no threads: the compiler could otherwise reorder sums or fuse a product with a
      sum as it likes, and equal logs would no longer give equal states on the next version of the compiler.
    - ``nogil``: decoding and serving go on while a model learns.
    - ``error_model="numpy"``: a division by zero gives inf or nan as in NumPy, without a branch in every loop.
    - All arguments are positional, and there are as many as it takes: Numba compiles positional arguments of plain
      arrays and numbers to registers, but boxes a keyword or an object at every call, which costs more than a small
      model's whole step. Scratch arrays are arguments too, so that no call allocates.
    - A kernel calls only kernels of its own file. Numba's cache looks at the modification time of the file in which a
      kernel stands: a change to a helper in another file would leave the old helper compiled into its callers.
    """
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def frozen(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The array as read-only: to Numba, writeable and read-only arrays are two types, each compiled by itself."""
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
