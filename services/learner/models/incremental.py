"""The base class of a model: all that a new model has to write is one loop over rows, and its arrays."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from prequel.services.learner.kernels.compiled import frozen
from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets, Vector, require_dim
from prequel.services.learner.models.classes import Classes

_UNLABELLED = np.full(1, -1, np.int64)


class IncrementalModel(ABC):
    """A model that is one loop over rows and class numbers: a subclass writes ``_run``, ``_arrays`` and ``_load``.

    ``fold``, ``predict`` and ``learn`` are that one loop, so that they cannot differ. This is a base class and not a
    helper object, because every model would have to forward these methods to the helper. A constructor takes ``dim``
    and, by keyword, ``seed`` (of all its random numbers) and the options of the model's row in ``catalogue.py``.
    """

    exact = False

    def __init__(self, dim: int, *, seed: int = 0) -> None:
        self._dim, self._seed, self._classes, self._capacity = dim, seed, Classes(), 0
        self.labels = self._classes.labels

    @abstractmethod
    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        """For each row i of ``xs`` [n, dim], read-only: predict into ``out[i, :known]``, then learn ``targets[i]``.

        ``known`` is how many classes there are before row 0. A target that is not below it is a new class and makes
        it target + 1; -1 says to learn nothing. Predict only if ``predicting`` (else ``out`` is empty) and ``known``.
        """

    @abstractmethod
    def _arrays(self) -> Arrays:
        """Copies of the arrays that are the state, without unused rows."""

    @abstractmethod
    def _load(self, state: ModelState) -> None:
        """Take over the state, as copies. ``labels`` are those of the state already."""

    def _meta(self) -> dict[str, Any]:
        """The numbers that belong to the state too."""
        return {}

    def _grow(self, classes: int) -> None:
        """Make room for so many classes (see ``classes.grown``). Called before ``_run`` gets a new class."""
        return  # nothing to do for a model without arrays by class

    def predict(self, x: Vector) -> Probabilities:
        known = len(self.labels)
        out: Probabilities = self._batch(self._checked(x.reshape(1, -1)), _UNLABELLED, known, predicting=True)[0]
        return out

    def predict_many(self, xs: Matrix) -> Probabilities:
        """See ``capabilities.predict_many``."""
        none = np.full(len(xs), -1, np.int64)
        return self._batch(self._checked(xs), none, len(self.labels), predicting=True)

    def learn(self, x: Vector, label: str) -> None:
        row, known = self._checked(x.reshape(1, -1)), len(self.labels)
        self._batch(row, np.array([self._classes.number(label)]), known, predicting=False)

    def unlearn(self, x: Vector, label: str) -> None:
        raise NotImplementedError(f"{type(self).__name__} cannot unlearn an example: learn the right label instead")

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        rows, known = self._checked(xs), len(self.labels)
        targets, known_before = self._classes.numbers(labels)
        out = self._batch(rows, targets, known, predicting=True)
        return [out[i, :classes] for i, classes in enumerate(known_before)]

    def state(self) -> ModelState:
        return ModelState({"labels": list(self.labels), "dim": self._dim} | self._meta(), self._arrays())

    def load(self, state: ModelState) -> None:
        """Become the model of the same spec that returned ``state``."""
        self._classes.load(state.meta["labels"])
        self._capacity = 0
        self._load(state)

    def _checked(self, xs: Matrix) -> Matrix:
        require_dim(xs.shape[1], self._dim)
        return frozen(xs)

    def _batch(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool) -> Probabilities:
        classes = len(self.labels)
        if classes > self._capacity:
            self._grow(classes)
            self._capacity = classes
        out = np.empty((len(xs) if predicting else 0, classes))
        self._run(xs, targets, known, predicting=predicting, out=out)
        return out
