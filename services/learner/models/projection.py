"""A sparse random projection to narrow vectors with nearly the distances of the wide ones, fixed by a seed."""

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import frozen
from prequel.services.learner.kernels.projection import project
from prequel.services.learner.models.base import Matrix
from prequel.services.learner.portable.steps import Project

COPIES = 4
"""How many outputs each feature goes to. One would let two features that meet in an output hide each other; each more
costs another addition for each feature."""


class Projection:
    """From ``dim`` to ``width`` features, with the same inner products in expectation.

    Each feature is added, with a random sign, to one random output in each of COPIES equal blocks of the outputs
    (Kane and Nelson, "Sparser Johnson-Lindenstrauss transforms", J. ACM 61, 2014). Nothing but the seed has to be
    stored: the random numbers are SplitMix64's, and so the same for ever.

    >>> import numpy as np
    >>> Projection(6, 8, seed=42)(np.arange(6, dtype=np.float32).reshape(1, 6)).tolist()
    [[0.5, -2.0, 4.5, 0.0, 1.5, 3.0, 0.0, -2.5]]
    """

    def __init__(self, dim: int, width: int, seed: int) -> None:
        random = splitmix(seed, dim * COPIES).reshape(dim, COPIES)
        bounds = np.arange(COPIES + 1) * width // COPIES
        sizes = np.maximum(np.diff(bounds), 1).astype(np.uint64)
        self._places = (bounds[:-1].astype(np.uint64) + (random >> np.uint64(1)) % sizes).astype(np.int32)
        self._signs = np.where(random & np.uint64(1), 1, -1).astype(np.int8)
        self._scale = 1.0 / float(np.sqrt(COPIES))
        self.width = width

    def __call__(self, xs: Matrix) -> Matrix:
        """Project rows [n, dim] to [n, width]; each row's result does not depend on the others."""
        out = np.empty((len(xs), self.width), np.float32)
        project(frozen(xs), self._places, self._signs, self._scale, np.zeros(self.width), out)
        return out

    def portable(self) -> Project:
        """The same as a step of a model that leaves."""
        return Project(self._places, self._signs, self._scale, self.width)


def splitmix(seed: int, size: int) -> npt.NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014)."""
    z = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
