"""All of a stream's state as plain values, with the classes called what people call them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.join.window_chunk import Chunk
from prequel.services.learner.fold.partition_parts import unsigned_part
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.stream_parts import stream_parts
from prequel.services.learner.publishing.stream_status import stream_detail, stream_status
from prequel.services.learner.snapshots.blobs import part, unpack
from prequel.shared.log.base import Position

OWN = ("begun", "adopted", "decisions", "parts", "conflicts")
"""What two states may differ in: when and by which commands they came about. And in duplicates that came with another
label: whether it was another one is decided when they come, before anybody says that both are one class."""


def state_of(state: StreamState) -> dict[str, Any]:
    """Every bit of it but OWN, arrays as bytes."""
    values: dict[str, Any] = {}
    for name, stored in stream_parts(state, unsigned_part).items():
        meta, arrays = unpack(stored.body)
        if name.startswith("window."):
            arrays["entries"] = _without_own_labels(meta, arrays)
        if name == "head":
            meta, arrays = {key: value for key, value in meta.items() if key not in OWN}, {}
        values[name] = _named(name, meta, state), {key: _plain(array) for key, array in arrays.items()}
    return values


def _without_own_labels(meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The window's rows but for the label that an example came with, by which conflicts are counted."""
    rows = Chunk.from_parts(meta, arrays, part({})).rows[: len(meta["ids"])].copy()
    rows["first_label"] = 0
    return rows.view(np.uint8)


def _plain(array: npt.NDArray[Any]) -> tuple[Any, ...]:
    return array.shape, str(array.dtype), array.tobytes()


def _named(key: str, value: Any, state: StreamState) -> Any:
    if isinstance(value, dict):
        return {key: _named(key, each, state) for key, each in value.items()}
    if key == "waiting" and isinstance(value, list):
        return [[id, state.names.name(label), *rest] for id, label, *rest in value]
    if key == "labels" and isinstance(value, list):
        return state.names.names(value)
    return value


def shown_of(state: StreamState) -> tuple[Any, Any]:
    """What people see of it."""
    at = Position(0, 0)
    status = stream_status(state, at, now=0, snapshot=None, address=None)
    shown = status.model_dump(exclude={"title", "goal", "settings", "catching_up", "renamed", "conflicts"})
    return shown, stream_detail(state, at).model_dump()


def different(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The names of the parts that differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
