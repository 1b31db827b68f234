"""Shared by models that wrap others: a state around the inner models', and a batch taken row by row."""

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


def joined(experts: Sequence[ModelState], own: dict[str, Any], **arrays: npt.NDArray[Any]) -> ModelState:
    """One state out of those of several models and the outer one's ``own`` numbers and ``arrays``."""
    inside = {f"{at}.{name}": array for at, expert in enumerate(experts) for name, array in expert.arrays.items()}
    metas, pickled = [dict(expert.meta) for expert in experts], [expert.pickled for expert in experts]
    meta = own | {"experts": metas, "pickled": [len(each) for each in pickled]}
    return ModelState(meta, arrays | inside, b"".join(pickled))


def parted(state: ModelState) -> list[ModelState]:
    """The inner models' parts of a ``joined`` state."""
    parts, start = [], 0
    for at, (meta, size) in enumerate(zip(state.meta["experts"], state.meta["pickled"], strict=True)):
        prefix, pickled = f"{at}.", state.pickled[start : start + size]
        arrays = {name.removeprefix(prefix): array for name, array in state.arrays.items() if name.startswith(prefix)}
        parts.append(ModelState(meta, arrays, pickled))
        start += size
    return parts


def fold_rows(model: Model, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
    """``Model.fold`` by ``predict`` and ``learn``, for models that change what they do to a row with each row."""
    predictions = []
    for x, label in zip(xs, labels, strict=True):
        predictions.append(model.predict(x))
        if label is not None:
            model.learn(x, label)
    return predictions
