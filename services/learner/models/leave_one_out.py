"""What a model would predict of an example that it has learned, had it not learned it."""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.scores import predict_rows
from prequel.services.learner.models.base import Matrix, Model, Probabilities, Vector
from prequel.services.learner.models.labelled_sample import LabelledRows
from prequel.services.learner.models.solver import HeldOut, Solver
from prequel.services.learner.models.sums import Sums

Numbers = npt.NDArray[np.int64]


class Learned(NamedTuple):
    """How rows were learned: their classes int64 [n] in the model's order, -1 where it has not learned the row; and
    their ages int64 [n], how many examples were learned in their turn after each."""

    classes: Numbers
    ages: Numbers


class LeaveOneOut(Protocol):
    """A copy of a model that can leave examples out, one at a time; what the model learns later does not change it."""

    def predict(self, xs: Matrix, learned: Learned) -> Probabilities:
        """[n, classes]: of each row of ``xs`` [n, dim] what the model predicts without it, all others learned."""
        ...


def leave_one_out(model: Model) -> LeaveOneOut | None:
    """Such a copy of the model as it is now; None where it is not exact, and so cannot take an example out."""
    if model.exact and hasattr(model, "leave_one_out"):
        return cast(Callable[[], LeaveOneOut], model.leave_one_out)()
    return _unlearning(deepcopy(model)) if model.exact else None


def _unlearning(model: Model) -> LeaveOneOut:
    def without(x: Vector, number: int) -> Probabilities:
        model.unlearn(x, model.labels[number])
        predicted = model.predict(x)
        model.learn(x, model.labels[number])
        return predicted

    return OneByOne(model.predict, without)


class OneByOne:
    """Rows taken out of a copy one after the other, and put back: for models whose sums are small."""

    def __init__(self, predict: Callable[[Vector], Probabilities], without: Callable[[Vector, int], Probabilities]):
        """``without`` predicts a row that was learned as a class, and leaves the copy as it was."""
        self._predict, self._without = predict, without

    def predict(self, xs: Matrix, learned: Learned) -> Probabilities:
        rows = zip(xs, learned.classes.tolist(), strict=True)
        return np.array([self._predict(x) if number < 0 else self._without(x, number) for x, number in rows])


class HeldOutScores:
    """Of `slda` and `ridge`, in closed form: a row is taken out of the solved matrix by a down-date of rank one.

    ``classes`` of the ``labels`` have been learned. What is common to all examples stays as it is: each feature's
    deviation and the shrinkage of `slda`, the penalty of `ridge`, the temperature of both. Leaving out one of n
    examples changes these by about a share of 1/n.
    """

    def __init__(
        self,
        solver: Solver,
        sums: Sums,
        transform: Callable[[Matrix], Matrix],
        *,
        classes: int,
        labels: int,
        temperature: Probabilities,
    ) -> None:
        self._solver, self._sums, self._transform = solver, sums, transform
        self._classes, self._labels, self._temperature = classes, labels, temperature
        self._held_out: HeldOut | None = None
        """Made by the first call: whoever makes this object may hold a lock, and solving takes tens of milliseconds."""

    def predict(self, xs: Matrix, learned: Learned) -> Probabilities:
        if self._classes and self._held_out is None:
            self._sums.condense()  # This copy's: there is one way then to leave out a row, whatever is stored.
            self._held_out = self._solver.leave_out(self._sums, self._classes)
        weights = np.where(learned.classes >= 0, self._sums.weights_at(learned.ages), 0.0)
        rows = LabelledRows(self._transform(xs), np.maximum(learned.classes, 0), weights)
        out: Probabilities = np.zeros((len(xs), self._labels))
        if self._held_out is not None:
            predict_rows(self._held_out(rows), self._temperature, self._sums.counts, out)
        return out
