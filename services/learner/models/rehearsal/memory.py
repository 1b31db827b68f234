"""What a memory for rehearsal is: bounded, seeded, part of the state; it recalls examples of what was learned."""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Arrays, Matrix, Vector


class Recalled(NamedTuple):
    """Examples to rehearse: features [n, dim], and the number of each one's class [n]."""

    xs: Matrix
    classes: npt.NDArray[np.int64]


def nothing_recalled(dim: int) -> Recalled:
    """What a memory recalls while it is empty."""
    return Recalled(np.zeros((0, dim), np.float32), np.zeros(0, np.int64))


class Memory(Protocol):
    """What is remembered of the examples of each class. All chance comes from the generator that is passed."""

    def add(self, x: Vector, label: int, random: np.random.Generator) -> None:
        """Remember a learned example of the class with this number, float32 [dim], as far as there is room."""
        ...

    def recall(self, count: int, random: np.random.Generator) -> Recalled:
        """``count`` examples, or none while nothing is remembered."""
        ...

    def arrays(self) -> Arrays:
        """Copies of all that is remembered."""
        ...

    def load(self, arrays: Arrays) -> None:
        """Replace all that is remembered."""
        ...
