"""Whether a partition has room for one more stream: limits on streams and on the memory of their models."""

from collections.abc import Mapping, Sequence

from prequel.services.learner.fold.config import FoldConfig
from prequel.services.learner.fold.drift.reactions import reaction
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.capabilities import size_of
from prequel.shared.events.types import Rejected

MAX_REJECTED_STREAMS = 1_000
"""Names of rejected streams that a partition remembers: more would make its root large, fewer repeat dead letters."""


class Capacity:
    """The room in one partition. ``streams`` are those that it has now: the fold adds and removes some."""

    def __init__(self, streams: Mapping[str, StreamState], registry: ModelRegistry) -> None:
        self._streams, self._registry = streams, registry
        self.rejected: dict[str, None] = {}
        """The newest streams for which there was no room, oldest first: each got one dead letter. Part of the state."""
        self._initial_bytes: dict[int, int] = {}
        self._model_bytes: dict[str, int] = {}
        """By stream, as it was measured last; a stream that has changed since is missing."""

    def load(self, rejected: Sequence[str]) -> None:
        """Remember the rejected streams of a snapshot."""
        self.rejected = dict.fromkeys(rejected)

    def changed(self, stream: str) -> None:
        """Measure this stream again when its size is needed."""
        self._model_bytes.pop(stream, None)

    def reconfigured(self) -> None:
        """Measure everything again: the models may be others now, and the number of their classes too."""
        self._initial_bytes.clear()
        self._model_bytes.clear()

    def check(self, config: FoldConfig, stream: str, dim: int) -> None:
        """Raises Rejected where there is no room for one more stream; with a dead letter only for its first image.

        The models of the other streams must have learned all that came before. ``dim`` is that of the features.
        """
        problem = self.full(config, dim) if stream not in self._streams else self._models_full(config, dim)
        if not problem:
            self.rejected.pop(stream, None)
            return
        known = stream in self.rejected
        self.rejected[stream] = None
        if len(self.rejected) > MAX_REJECTED_STREAMS:
            del self.rejected[next(iter(self.rejected))]
        raise Rejected("too-many-streams", f"{problem}; later images of this stream are only counted", counted=known)

    def full(self, config: FoldConfig, dim: int) -> str:
        """Why there is no room for one more stream of such features, with the setting's name; empty where there is."""
        if len(self._streams) >= config.max_streams:
            return f"this partition has {len(self._streams)} streams (PREQUEL_MAX_STREAMS)"
        return self._models_full(config, dim)

    def _models_full(self, config: FoldConfig, dim: int) -> str:
        """The first stream always fits, and existing streams go on however large their models grow."""
        used = self.model_bytes(config)
        if used and used + self._bytes_of_new(config, dim) > config.max_model_bytes:
            return f"the models of this partition's streams take {used} bytes (PREQUEL_MAX_MODEL_BYTES)"
        return ""

    def model_bytes(self, config: FoldConfig) -> int:
        """Bytes that the models of all streams take, once no example waits to be predicted."""
        for name, stream in self._streams.items():
            if name not in self._model_bytes and stream.models:
                grown = sum(size_of(model) for model in stream.models)
                self._model_bytes[name] = max(self._bytes_of_new(config, stream.dim), grown)
        return sum(self._model_bytes.values())

    def _bytes_of_new(self, config: FoldConfig, dim: int) -> int:
        """What the models of a stream of such features take before they have learned anything."""
        if dim not in self._initial_bytes:
            states = [self._registry.create(reaction(spec).spec, dim, seed=0).state() for spec in config.models]
            arrays = [array.nbytes for state in states for array in state.arrays.values()]
            self._initial_bytes[dim] = sum(arrays) + sum(len(state.pickled) for state in states)
        return self._initial_bytes[dim]
