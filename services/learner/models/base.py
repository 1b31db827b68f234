"""What a model is to the fold (protocol)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]


class ModelState(NamedTuple):
    """All of a model as plain data: ``meta`` is JSON, ``arrays`` are stored as safetensors.

    ``pickled`` is empty but for models that have no other form; it is never read before its signature is verified.
    """

    meta: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    pickled: bytes = b""


class Model(Protocol):
    """An incremental classifier over feature vectors (float32, shape [dim], C-contiguous, read-only).

    Deterministic: equal states and equal calls give bit-equal states, however the calls are grouped into ``fold``.
    ``labels`` lists the classes in the order in which they were first learned; it only grows.
    """

    labels: list[str]
    exact: bool
    """Whether ``unlearn`` undoes ``learn`` up to rounding, whatever was learned between."""

    def predict(self, x: Vector) -> Probabilities:
        """Probabilities, shape [len(labels)], in the order of ``labels``, summing to 1. Never changes the state."""
        ...

    def learn(self, x: Vector, label: str) -> None:
        """Learn one example; a label not seen before adds a class."""
        ...

    def unlearn(self, x: Vector, label: str) -> None:
        """Take one learned example out. Called only where ``exact``."""
        ...

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        """For each row in turn: predict, then learn it where its label is not None; return the predictions.

        Bit-equal to calling ``predict`` and ``learn`` row by row: the fast path over a batch, shape [n, dim].
        Row i's probabilities have as many entries as there were classes before row i was learned.
        """
        ...

    def state(self) -> ModelState:
        """A copy that later calls do not change."""
        ...


class Loadable(Model, Protocol):
    """A model that can become what a state was taken of."""

    def load(self, state: ModelState) -> None: ...


@runtime_checkable
class Sized(Protocol):
    """A model that tells how large it is without a copy of it."""

    @property
    def size(self) -> int:
        """Bytes of its state's large arrays: a function of the state alone, the same before and after a restart."""
        ...


def size_of(model: Model) -> int:
    """Bytes of a model's arrays."""
    return model.size if isinstance(model, Sized) else sum(array.nbytes for array in model.state().arrays.values())
