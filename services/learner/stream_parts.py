"""A stream's state as parts of a snapshot, and back."""

from collections.abc import Callable, Mapping
from typing import Any

from services.learner.blobs import Part, part, sha256, unpack
from services.learner.examples import Chunk, Duplicates, Window
from services.learner.feature_drift import FeatureDrift
from services.learner.models.model import ModelState
from services.learner.scores import Scores
from services.learner.stream import Limits, ModelTable, StreamState
from services.learner.waiting import WaitingLabels


def parts(state: StreamState, seal: Callable[[ModelState], Part]) -> dict[str, Part]:
    """Every part by name; ``head`` names the others with their digests. Equal states have equal digests."""
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
    return found | {"head": _head(state, found)}


def _head(state: StreamState, found: Mapping[str, Part]) -> Part:
    meta = state.numbers() | {"window": list(state.window.bounds)}
    digest = part(meta | {"parts": {name: each.digest for name, each in found.items()}}).digest
    body = part(meta | {"parts": {name: [each.address, each.digest] for name, each in found.items()}}).body
    return Part(body, sha256(body), digest)


def read(
    head: bytes,
    read_part: Callable[[str], bytes],
    unseal: Callable[[bytes], ModelState],
    limits: Limits,
    table: ModelTable,
) -> StreamState:
    """The inverse of ``parts``; ``read_part`` gives an address's bytes. Raises ValueError where they do not fit."""
    meta, _ = unpack(head)
    bodies = {name: read_part(address) for name, (address, _) in meta["parts"].items()}
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
        address, digest = meta["parts"][name]
        chunks.append(Chunk.from_parts(*unpack(bodies[name]), Part(bodies[name], address, digest)))
    oldest, following = meta["window"]
    return Window.from_chunks(limits.window, len(limits.models), chunks, (oldest, following))
