"""A replay as bytes: how it comes from the process that made it to the learner that it is handed over to."""

import numpy as np

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.stream_parts import read_stream, stream_parts
from prequel.services.learner.replay.plan import ReplayPlan
from prequel.services.learner.replay.stream_replay import StreamReplay
from prequel.services.learner.replay.substitutes import Substitutes
from prequel.services.learner.snapshots.blobs import pack, unpack
from prequel.services.learner.snapshots.envelope import Envelope, SnapshotId


def encode_replay(replay: StreamReplay, key: bytes) -> bytes:
    """The replay as it stands; ``key`` signs pickled models. ``decode_replay`` is the inverse.

    Raises ConfigError for a pickled model without a key.
    """
    parts = stream_parts(replay.begun_state(), _envelope(replay.plan, replay.position, key).seal)
    meta = {
        "position": replay.position,
        "moves": replay.relocations.rows(),
        "addresses": {name: part.address for name, part in parts.items()},
    }
    return pack(meta, {name: np.frombuffer(part.body, np.uint8) for name, part in parts.items()})


def decode_replay(
    body: bytes, plan: ReplayPlan, registry: ModelRegistry, cache: FeatureCache, key: bytes
) -> StreamReplay:
    """Raises ValueError where these are not its bytes, UnknownModel."""
    meta, arrays = unpack(body)
    bodies = {address: arrays[name].tobytes() for name, address in meta["addresses"].items() if address}
    envelope = _envelope(plan, meta["position"], key)
    state = read_stream(arrays["head"].tobytes(), bodies.__getitem__, envelope.open, registry=registry)
    substitutes = Substitutes(state.backbone, {}, cache, before=0) if plan.decisions.ever_switched else None
    replay = StreamReplay(plan, registry, cache, begin=meta["position"], substitutes=substitutes)
    replay.relocations.load(meta["moves"])
    replay.state = state
    if plan.classes is not None:
        replay.state.admissible = set(plan.classes)
    return replay


def _envelope(plan: ReplayPlan, position: int, key: bytes) -> Envelope:
    return Envelope(key, SnapshotId(plan.partition, position, 0))
