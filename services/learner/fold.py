"""The fold over one partition of examples: ``state = fold(log[0:offset])``, pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.learner.blobs import Part
from services.learner.envelope import Envelope, Place
from services.learner.feature_cache import FeatureCache
from services.learner.models.model import ModelState, size_of
from services.learner.reactions import reaction
from services.learner.saved import Saved
from services.learner.snapshots import Root, digest
from services.learner.stream import Emit, Limits, ModelTable, StreamState
from services.learner.stream_parts import Streams, read, saved
from shared.events import Features, Label, Outcome, Rejected, Vector, decode_example
from shared.log import Position, Record

Decoded = tuple[Record, Features | Label]
KEPT_REFUSED = 1_000
"""Names of refused streams that a partition remembers: more would make its root large, fewer repeat dead letters."""


class Folded(NamedTuple):
    """What came of some records, in log order."""

    emitted: list[Emit]
    rejected: list[tuple[Record, Rejected]]
    repeated: int
    """Duplicates among them."""


class Fold:
    """The state of every stream of a partition. However records are cut into calls, state and outputs are the same."""

    def __init__(self, limits: Limits, table: ModelTable, cache: FeatureCache, *, position: int) -> None:
        self._limits, self._table, self.cache = limits, table, cache
        self.streams: dict[str, StreamState] = {}
        self.position = position
        """The next offset to fold."""
        self.refused: dict[str, None] = {}
        """The newest streams for which there was no room: each gets one dead letter."""
        self.saved: dict[str, Saved] = {}
        """Streams that are as a snapshot has them. Not part of the state."""
        self._births: dict[int, int] = {}
        self._sizes: dict[str, int] = {}

    def apply(self, records: Sequence[Record]) -> Folded:
        """Fold records in. Reads features back from the log where the cache has them no more: raises LogUnavailable."""
        decoded, rejected = _decode(records)
        turn = _Turn(self._features(decoded))
        for record, event in decoded:
            try:
                self._step(event, turn)
            except Rejected as error:
                rejected.append((record, error))
        turn.flush()
        rejected += [(record, error) for record, error in turn.refused(records)]
        if records:
            self.position = records[-1].offset + 1
        rejected.sort(key=lambda pair: pair[0].offset)
        turn.emitted.sort(key=lambda emit: emit.at.offset)
        return Folded(turn.emitted, rejected, turn.repeated)

    def _step(self, event: Features | Label, turn: "_Turn") -> None:
        self.saved.pop(event.stream, None)
        self._sizes.pop(event.stream, None)
        if isinstance(event, Label):
            stream = self._stream(event.stream)
            turn.flush(stream)
            turn.emitted += stream.label(event, turn.features)
            return
        self._make_sure_of_room(event, turn)
        stream = self._stream(event.stream)
        if turn.holds(stream, event.id) or stream.knows(event.id):
            turn.flush(stream)
        if stream.accept(event):
            self.cache.put(event.position, event.vector)
            turn.hold(stream, event)
        else:
            turn.repeated += 1

    def _stream(self, name: str) -> StreamState:
        if name not in self.streams:
            if len(self.streams) >= self._limits.max_streams:
                raise Rejected("too-many-streams", f"this partition holds {len(self.streams)} (PREQUEL_MAX_STREAMS)")
            self.streams[name] = StreamState(name, self._limits, self._table)
        return self.streams[name]

    def _make_sure_of_room(self, event: Features, turn: "_Turn") -> None:
        """Raises Rejected where there is no room for one more stream; with a dead letter only for its first image."""
        known = self.streams.get(event.stream)
        if known is not None and known.models:
            return
        turn.flush()  # What the others hold must not depend on where a batch ends.
        full = self.full(event.vector.size) if known is None else self._full_of_models(event.vector.size)
        if not full:
            self.refused.pop(event.stream, None)
            return
        told = event.stream in self.refused
        self.refused[event.stream] = None
        if len(self.refused) > KEPT_REFUSED:
            del self.refused[next(iter(self.refused))]
        raise Rejected("too-many-streams", f"{full}; later images of this stream are only counted", counted=told)

    def full(self, dim: int) -> str:
        """Why there is no room for one more stream of such features, with the setting's name; empty where there is."""
        if len(self.streams) >= self._limits.max_streams:
            return f"this partition holds {len(self.streams)} streams (PREQUEL_MAX_STREAMS)"
        return self._full_of_models(dim)

    def _full_of_models(self, dim: int) -> str:
        """The first stream always fits, and those that there are go on whatever their models grow to."""
        held = self.held()
        if held and held + self._birth_bytes(dim) > self._limits.max_model_bytes:
            return f"the models of this partition's streams take {held} bytes (PREQUEL_MAX_MODEL_BYTES)"
        return ""

    def held(self) -> int:
        """Bytes that the models of all streams take. No batch may be on its way."""
        for name, stream in self.streams.items():
            if name not in self._sizes and stream.models:
                grown = sum(size_of(model) for model in stream.models)
                self._sizes[name] = max(self._birth_bytes(stream.dim), grown)
        return sum(self._sizes.values())

    def _birth_bytes(self, dim: int) -> int:
        """What the models of a stream of such features take before they have learned anything."""
        if dim not in self._births:
            states = [self._table.create(reaction(spec).spec, dim, seed=0).state() for spec in self._limits.models]
            arrays = [array.nbytes for state in states for array in state.arrays.values()]
            self._births[dim] = sum(arrays) + sum(len(state.pickled) for state in states)
        return self._births[dim]

    def _features(self, decoded: Iterable[Decoded]) -> Callable[[Position], Vector | None]:
        """Features by position; those that the labels of this batch will most likely need are read in one go."""
        entries = [
            self.streams[event.stream].window.find(event.id)
            for _, event in decoded
            if isinstance(event, Label) and event.stream in self.streams
        ]
        ahead = self.cache.fetch(entry.position for entry in entries if entry is not None)

        def find(position: Position) -> Vector | None:
            found = ahead.get(position)
            return self.cache.fetch([position]).get(position) if found is None else found

        return find

    # As data.

    def parts(self, seal: Callable[[ModelState], Part]) -> Mapping[str, Mapping[str, Part]]:
        """Stream -> its parts by name."""
        return Streams(self.streams, seal)

    def digest(self) -> str:
        """SHA-256 over all of the state: equal logs give equal digests (one build, one kind of processor)."""
        heads = {name: found["head"].digest for name, found in self.parts(fingerprint).items()}
        return digest(heads, list(self.refused))

    @classmethod
    def from_root(
        cls,
        root: Root,
        read_part: Callable[[str], bytes],
        envelope: Envelope,
        limits: Limits,
        table: ModelTable,
        cache: FeatureCache,
    ) -> "Fold":
        """The state that a snapshot stands for. Raises ValueError where a part is missing, damaged or not ours."""
        self = cls(limits, table, cache, position=root.offset)
        for name, address in root.streams.items():
            head = read_part(address)
            self.streams[name] = read(head, read_part, envelope.open, limits, table)
            if (found := saved(head)) is not None:
                self.saved[name] = found
        self.refused = dict.fromkeys(root.refused)
        return self


class _Turn:
    """One batch on its way: runs of examples not yet predicted, one a stream, and what came out so far."""

    def __init__(self, features: Callable[[Position], Vector | None]) -> None:
        self.features = features
        self.emitted: list[Emit] = []
        self.repeated = 0
        self._runs: dict[str, tuple[StreamState, dict[str, Features]]] = {}

    def holds(self, stream: StreamState, id: str) -> bool:
        return stream.name in self._runs and id in self._runs[stream.name][1]

    def hold(self, stream: StreamState, event: Features) -> None:
        self._runs.setdefault(stream.name, (stream, {}))[1][event.id] = event

    def flush(self, stream: StreamState | None = None) -> None:
        """Predict what is held, of one stream or of all."""
        for name in [stream.name] if stream else list(self._runs):
            if name in self._runs:
                state, run = self._runs.pop(name)
                self.emitted += state.predict(list(run.values()))

    def refused(self, records: Sequence[Record]) -> Iterable[tuple[Record, Rejected]]:
        """The records whose label was refused: they are dead letters too.

        Not the features that an early label had waited for: they were learned from, and its outcome tells of the label.
        """
        origin: Mapping[Position, Record] = {Position(r.partition, r.offset): r for r in records}
        for at, event in self.emitted:
            if isinstance(event, Outcome) and event.status == "rejected" and event.position == at:
                detail = f"label {event.label!r}: more classes or waiting labels than the limits allow"
                yield origin[at], Rejected("too-many-labels", detail)


def fingerprint(state: ModelState) -> Part:
    """A model's part for its digest alone: nothing is signed."""
    return Envelope(b"-", Place(0, 0, 0)).seal(state)


def _decode(records: Sequence[Record]) -> tuple[list[Decoded], list[tuple[Record, Rejected]]]:
    decoded: list[Decoded] = []
    rejected: list[tuple[Record, Rejected]] = []
    for record in records:
        try:
            decoded.append((record, decode_example(record)))
        except Rejected as error:
            rejected.append((record, error))
    return decoded, rejected
