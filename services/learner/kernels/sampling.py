"""The kernel of the labelled sample: a random number for a row that depends on nothing but the row."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import kernel

Array = npt.NDArray[Any]


@kernel
def hash_rows(words: Array, out: Array) -> None:
    """A number in (0, 1) for each row of ``words`` uint32 [n, dim], into ``out`` float64 [n]: equal for equal rows.

    FNV-1a over words instead of bytes, and at the end the mixing of SplitMix64, without which rows that differ in
    their last word only would get neighbouring numbers.
    """
    for i in range(words.shape[0]):
        z = np.uint64(0xCBF29CE484222325)
        for j in range(words.shape[1]):
            z = (z ^ np.uint64(words[i, j])) * np.uint64(0x100000001B3)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        out[i] = (np.float64(z >> np.uint64(11)) + 0.5) / 9007199254740992.0
