"""What a model is to the fold: a protocol, and the types of what it takes and gives."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]
Targets = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]


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
    """Whether ``capabilities.correct`` leaves nothing of the old label, up to rounding, whatever was learned since."""

    def predict(self, x: Vector) -> Probabilities:
        """Probabilities in the order of ``labels``, shape [len(labels)], summing to 1. Never changes the state."""
        ...

    def learn(self, x: Vector, label: str) -> None:
        """Learn one example. A label that was never learned adds a class."""
        ...

    def unlearn(self, x: Vector, label: str) -> None:
        """Undo the learning of one example. Called only if ``exact``. Raises KeyError for an unknown label.

        A model whose past fades undoes the newest; ``capabilities.correct`` tells it how old another one is.
        """
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


def require_dim(features: int, dim: int) -> None:
    """Raise ValueError unless a vector has as many features as the model was made for."""
    if features != dim:
        raise ValueError(f"the vector has {features} features, but this model was made for {dim}")
