"""A stream's state as parts of a snapshot, and back."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import orjson

from prequel.services.learner.fold.calibration.calibrator import calibrator_arrays, load_calibrators
from prequel.services.learner.fold.config import FoldConfig, config_of
from prequel.services.learner.fold.drift.feature_drift import FeatureDrift
from prequel.services.learner.fold.evaluation.scores import Scores
from prequel.services.learner.fold.join.expired_ids import ExpiredIds
from prequel.services.learner.fold.join.waiting_labels import WaitingLabels
from prequel.services.learner.fold.join.window import Window
from prequel.services.learner.fold.join.window_chunk import Chunk
from prequel.services.learner.fold.label_order import LabelOrder
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.stream_numbers import load_stream_numbers, stream_numbers
from prequel.services.learner.models.base import ModelState
from prequel.services.learner.snapshots.blobs import Part, part, sha256, unpack
from prequel.services.learner.snapshots.stored_stream import StoredStream

INLINE_BYTES = 32 * 2**10
"""Parts no larger than this lie in the head: a small stream is then two or three values in the store, not nine. Twice
as much would let a large stream write again with every snapshot what has not changed."""


def stream_parts(state: StreamState, seal: Callable[[ModelState], Part]) -> dict[str, Part]:
    """Every part by name; ``head`` names the others with their digests. Equal states have equal digests.

    What lies in the head has no address of its own.
    """
    parts = {
        "scores": part(*state.scores.parts()),
        "waiting": part({"waiting": state.waiting.rows()}),
        "duplicates": part({}, {"hashes": state.expired_ids.array()}),
        "novelty": part({}, state.novelty.arrays()),
        "feature_drift": part({}, state.feature_drift.arrays()),
        "sets": part(*state.sets.parts()),
        "label_order": part(*state.label_order.parts()),
        "calibration": part({}, calibrator_arrays(state.calibrators)),
        **state.window.parts(),
    }
    for number, model in enumerate(state.models):
        parts[f"model.{number}"] = seal(model.state())
    parts = {name: stored._replace(address="") if _inline(stored) else stored for name, stored in parts.items()}
    return parts | {"head": _head(state, parts)}


def _inline(stored: Part) -> bool:
    """Signed parts never: their bytes change with every snapshot."""
    return len(stored.body) <= INLINE_BYTES and not stored.signed


def _head(state: StreamState, parts: Mapping[str, Part]) -> Part:
    meta = stream_numbers(state) | {"window": list(state.window.bounds)}
    digests = {name: stored.digest for name, stored in parts.items()}
    places = {name: [stored.address, stored.digest, len(stored.body)] for name, stored in parts.items()}
    inside = {name: np.frombuffer(stored.body, np.uint8) for name, stored in parts.items() if not stored.address}
    body = part(meta | {"parts": places}, inside).body
    return Part(body, sha256(body), _digest(meta, digests))


def _digest(meta: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    return sha256(orjson.dumps({**meta, "parts": digests}, option=orjson.OPT_SORT_KEYS))


def read_stream(
    head: bytes,
    read_part: Callable[[str], bytes],
    unseal: Callable[[bytes], ModelState],
    *,
    registry: ModelRegistry,
) -> StreamState:
    """The inverse of ``stream_parts``; ``read_part`` gives the bytes at an address.

    Raises ValueError where they do not fit, UnknownModel.
    """
    meta, inside = unpack(head)
    config = config_of(meta["config"])
    bodies = {
        name: read_part(address) if address else inside[name].tobytes()
        for name, (address, _, _) in meta["parts"].items()
    }
    state = StreamState(meta["name"], config, registry)
    load_stream_numbers(state, meta)
    state.scores = Scores.from_parts(*unpack(bodies["scores"]))
    state.waiting = WaitingLabels.from_rows(config.max_waiting, unpack(bodies["waiting"])[0]["waiting"])
    state.expired_ids = ExpiredIds.from_array(config.duplicates, unpack(bodies["duplicates"])[1]["hashes"])
    state.novelty.load(unpack(bodies["novelty"])[1])
    state.feature_drift = FeatureDrift(state.dim, state.seed)
    state.feature_drift.load(unpack(bodies["feature_drift"])[1])
    state.sets.load(*unpack(bodies["sets"]))
    state.label_order = LabelOrder.from_parts(*unpack(bodies["label_order"]))
    load_calibrators(state.calibrators, unpack(bodies["calibration"])[1])
    state.window = _window(meta, bodies, config)
    if state.dim:
        state.models = [
            registry.restore(reaction.spec, unseal(bodies[f"model.{number}"]))
            for number, reaction in enumerate(state.reactions)
        ]
    return state


def _window(meta: dict[str, Any], bodies: Mapping[str, bytes], config: FoldConfig) -> Window:
    chunks = []
    for name in sorted(name for name in bodies if name.startswith("window.")):
        address, digest, _ = meta["parts"][name]
        stored = Part(bodies[name], address or digest, digest)
        chunks.append(Chunk.from_parts(*unpack(bodies[name]), stored_part=stored))
    oldest, following = meta["window"]
    return Window.from_chunks(config.window, len(config.models), chunks, (oldest, following))


def stored_stream(head: bytes) -> StoredStream | None:
    """What a stream's head says of what is stored; None where that may not be used for another snapshot."""
    meta, _ = unpack(head)
    places = meta["parts"]
    if any(address not in ("", digest) for address, digest, _ in places.values()):
        return None  # A signed part: its signature is for one snapshot alone.
    digests = {name: digest for name, (_, digest, _) in places.items()}
    sizes = {address: size for address, _, size in places.values() if address}
    address = sha256(head)
    return StoredStream(address, _digest(meta, digests), sizes | {address: len(head)})
