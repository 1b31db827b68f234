"""A stream's state as parts of a snapshot, and back."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import orjson

from prequel.services.learner.fold.examples import Chunk, Duplicates, Window
from prequel.services.learner.fold.feature_drift import FeatureDrift
from prequel.services.learner.fold.scores import Scores
from prequel.services.learner.fold.stream import Limits, ModelTable, StreamState
from prequel.services.learner.fold.waiting_labels import WaitingLabels
from prequel.services.learner.models.base import ModelState
from prequel.services.learner.snapshots.blobs import Part, part, sha256, unpack
from prequel.services.learner.snapshots.stored_stream import Saved

INLINE_BYTES = 32 * 2**10
"""Parts no larger than this lie in the head: a small stream is then two or three values in the store, not nine. Twice
as much would let a large stream write again with every snapshot what has not changed."""
PARTITION = ""
"""Beside the streams' names in a snapshot: the part of the state that is no stream's."""


class Streams(Mapping[str, Mapping[str, Part]]):
    """The parts of each stream, made whenever they are asked for: all together would double the memory.

    ``own`` is the partition's only part, None where it has none.
    """

    def __init__(self, states: Mapping[str, StreamState], seal: Callable[[ModelState], Part], own: Part | None) -> None:
        self._states, self._seal, self._own = states, seal, own

    def __getitem__(self, name: str) -> dict[str, Part]:
        if name == PARTITION and self._own:
            return {"head": self._own}
        return parts(self._states[name], self._seal)

    def __iter__(self) -> Iterator[str]:
        yield from self._states
        if self._own:
            yield PARTITION

    def __len__(self) -> int:
        return len(self._states) + bool(self._own)


def parts(state: StreamState, seal: Callable[[ModelState], Part]) -> dict[str, Part]:
    """Every part by name; ``head`` names the others with their digests. Equal states have equal digests.

    What lies in the head has no address of its own.
    """
    found = {
        "scores": part(*state.scores.parts()),
        "waiting": part({"waiting": state.waiting.rows()}),
        "duplicates": part({}, {"hashes": state.duplicates.array()}),
        "novelty": part({}, state.novelty.arrays()),
        "feature_drift": part({}, state.feature_drift.arrays()),
        **state.window.parts(),
    }
    for number, model in enumerate(state.models):
        found[f"model.{number}"] = seal(model.state())
    found = {name: each._replace(address="") if _inline(each) else each for name, each in found.items()}
    return found | {"head": _head(state, found)}


def _inline(each: Part) -> bool:
    """Signed parts never: their bytes change with every snapshot."""
    return len(each.body) <= INLINE_BYTES and not each.signed


def _head(state: StreamState, found: Mapping[str, Part]) -> Part:
    meta = state.numbers() | {"window": list(state.window.bounds)}
    digests = {name: each.digest for name, each in found.items()}
    places = {name: [each.address, each.digest, len(each.body)] for name, each in found.items()}
    inside = {name: np.frombuffer(each.body, np.uint8) for name, each in found.items() if not each.address}
    body = part(meta | {"parts": places}, inside).body
    return Part(body, sha256(body), _digest(meta, digests))


def _digest(meta: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    return sha256(orjson.dumps({**meta, "parts": digests}, option=orjson.OPT_SORT_KEYS))


def read(
    head: bytes,
    read_part: Callable[[str], bytes],
    unseal: Callable[[bytes], ModelState],
    limits: Limits,
    table: ModelTable,
) -> StreamState:
    """The inverse of ``parts``; ``read_part`` gives an address's bytes. Raises ValueError where they do not fit."""
    meta, inside = unpack(head)
    bodies = {
        name: read_part(address) if address else inside[name].tobytes()
        for name, (address, _, _) in meta["parts"].items()
    }
    state = StreamState(meta["name"], limits, table)
    state.load_numbers(meta)
    state.scores = Scores.from_parts(*unpack(bodies["scores"]))
    state.waiting = WaitingLabels.from_rows(limits.max_waiting, unpack(bodies["waiting"])[0]["waiting"])
    state.duplicates = Duplicates.from_array(limits.duplicates, unpack(bodies["duplicates"])[1]["hashes"])
    state.novelty.load(unpack(bodies["novelty"])[1])
    state.feature_drift = FeatureDrift(state.dim, state.seed)
    state.feature_drift.load(unpack(bodies["feature_drift"])[1])
    state.window = _window(meta, bodies, limits)
    if state.backbone:
        state.models = [
            table.restore(reaction.spec, unseal(bodies[f"model.{number}"]))
            for number, reaction in enumerate(state.reactions)
        ]
    return state


def _window(meta: dict[str, Any], bodies: Mapping[str, bytes], limits: Limits) -> Window:
    chunks = []
    for name in sorted(name for name in bodies if name.startswith("window.")):
        address, digest, _ = meta["parts"][name]
        chunks.append(Chunk.from_parts(*unpack(bodies[name]), Part(bodies[name], address or digest, digest)))
    oldest, following = meta["window"]
    return Window.from_chunks(limits.window, len(limits.models), chunks, (oldest, following))


def saved(head: bytes) -> Saved | None:
    """What a stream's head says of what is stored; None where that may not be used for another snapshot."""
    meta, _ = unpack(head)
    places = meta["parts"]
    if any(address not in ("", digest) for address, digest, _ in places.values()):
        return None
    digests = {name: digest for name, (_, digest, _) in places.items()}
    sizes = {address: size for address, _, size in places.values() if address}
    address = sha256(head)
    return Saved(address, _digest(meta, digests), sizes | {address: len(head)})
