"""What a model is: the protocol that the fold calls, and the base class of the models that are written here."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.compiled import frozen
from prequel.services.learner.models.classes import Classes

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]
Targets = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]

_UNLABELLED = np.full(1, -1, np.int64)


class ModelState(NamedTuple):
    """All of a model as plain data: ``meta`` is stored as JSON, ``arrays`` as safetensors.

    ``pickled`` is empty except for River's models, which have no other form. It is read only once its signature holds.
    """

    meta: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    pickled: bytes = b""


class Model(Protocol):
    """An incremental classifier of feature vectors: float32, shape [dim], C-contiguous, perhaps read-only.

    Equal calls on equal states give bit-equal states, however the calls are grouped into ``fold``: no clock, no
    unseeded random number, no order of a set, no threads.
    """

    labels: list[str]
    """The classes in the order in which they were first learned; it only grows."""
    exact: bool
    """Whether ``unlearn`` undoes ``learn`` up to rounding, whatever was learned between."""

    def predict(self, x: Vector) -> Probabilities:
        """Probabilities in the order of ``labels``, shape [len(labels)], summing to 1. Never changes the state."""
        ...

    def learn(self, x: Vector, label: str) -> None:
        """Learn one example. A label that was never learned adds a class."""
        ...

    def unlearn(self, x: Vector, label: str) -> None:
        """Undo the learning of one example. Called only if ``exact``. Raises KeyError for an unknown label."""
        ...

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        """For each row of ``xs`` [n, dim] in turn: predict, then learn it unless its label is None.

        Bit-equal to calling ``predict`` and ``learn`` row by row, and faster. A row's probabilities have as many
        entries as there were classes before that row was learned.
        """
        ...

    def state(self) -> ModelState:
        """A copy, which later calls do not change."""
        ...


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


def require_dim(features: int, dim: int) -> None:
    """Raise ValueError unless a vector has as many features as the model was made for."""
    if features != dim:
        raise ValueError(f"the vector has {features} features, but this model was made for {dim}")
