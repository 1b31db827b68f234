"""Shared by models that wrap others: a state around the inner models', and a batch taken row by row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
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
    """One state out of those of several models and the outer one's ``own`` numbers and ``arrays``.

    An array that is equal in the first model, as examples that wait are, is stored once.
    """
    first, inside = experts[0].arrays, dict[str, npt.NDArray[Any]]()
    for at, expert in enumerate(experts):
        for name, array in expert.arrays.items():
            if not at or name not in first or not _same_bits(array, first[name]):
                inside[f"{at}.{name}"] = array
    metas, pickled = [dict(expert.meta) for expert in experts], [expert.pickled for expert in experts]
    metas = [meta | {"arrays": list(expert.arrays)} for meta, expert in zip(metas, experts, strict=True)]
    meta = own | {"experts": metas, "pickled": [len(each) for each in pickled]}
    return ModelState(meta, arrays | inside, b"".join(pickled))


def _same_bits(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and np.array_equal(one.reshape(-1).view(np.uint8), other.reshape(-1).view(np.uint8))


def parted(state: ModelState) -> list[ModelState]:
    """The inner models' parts of a ``joined`` state."""
    parts, start = [], 0
    for at, (meta, size) in enumerate(zip(state.meta["experts"], state.meta["pickled"], strict=True)):
        names = {name: f"{at}.{name}" for name in meta["arrays"]}
        arrays = {
            name: state.arrays[stored if stored in state.arrays else f"0.{name}"] for name, stored in names.items()
        }
        parts.append(ModelState(meta, arrays, state.pickled[start : start + size]))
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
