"""What solves sums for scores: the protocol that `slda` and `ridge` have a solver of."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.labelled_sample import LabelledRows
from prequel.services.learner.models.sums import Sums

Array = npt.NDArray[np.float64]

NO_EXAMPLES = -1e100
"""The score of a class without examples: its share of the softmax is 0, and still finite before it."""


class Solved(NamedTuple):
    """Scores x · weights + offsets: ``weights`` [classes, dim] and ``offsets`` [classes], float64."""

    weights: Array
    offsets: Array
    held_out: Array | None
    """If asked for: scores [n, classes] of the rows of ``sums.sample()``, each as if it had not been learned, up to a
    summand common to a row. A class of which it is the only example has NO_EXAMPLES there."""


HeldOut = Callable[[LabelledRows], Array]
"""The scores [n, classes] of learned rows, each as if it had not been learned; of one that weighs nothing as it is."""


class Solver(Protocol):
    """Makes scores of the settled sums, or of the few examples that they keep."""

    def __call__(self, sums: Sums, classes: int, *, held_out: bool) -> Solved: ...

    def leave_out(self, sums: Sums, classes: int) -> "HeldOut":
        """Solve ``sums``, which store no examples, for scores of rows that were learned, each left out."""
        ...
