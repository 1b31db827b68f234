"""Shared by models that wrap another one: a state around the inner model's, and a batch taken row by row."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from prequel.services.learner.models.base import Matrix, Model, ModelState, Probabilities

_PREFIX = "inner."


def nested(inner: ModelState, own: dict[str, Any], **arrays: npt.NDArray[Any]) -> ModelState:
    """One state out of the inner model's and the outer one's ``own`` numbers and ``arrays``."""
    inside = {f"{_PREFIX}{name}": array for name, array in inner.arrays.items()}
    return ModelState(own | {"inner": dict(inner.meta)}, arrays | inside, inner.pickled)


def unnested(state: ModelState) -> ModelState:
    """The inner model's part of a ``nested`` state."""
    names = [name for name in state.arrays if name.startswith(_PREFIX)]
    return ModelState(state.meta["inner"], {n.removeprefix(_PREFIX): state.arrays[n] for n in names}, state.pickled)


def fold_rows(model: Model, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
    """``Model.fold`` by ``predict`` and ``learn``, for models that change what they do to a row with each row."""
    predictions = []
    for x, label in zip(xs, labels, strict=True):
        predictions.append(model.predict(x))
        if label is not None:
            model.learn(x, label)
    return predictions
