"""The fold over one partition of examples: ``state = fold(log[0:offset])``, pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.learner.blobs import Part
from services.learner.envelope import Envelope, Place
from services.learner.feature_cache import FeatureCache
from services.learner.models.model import ModelState
from services.learner.reactions import reaction
from services.learner.snapshots import Root, digest
from services.learner.stream import Emit, Limits, ModelTable, StreamState
from services.learner.stream_parts import parts, read
from shared.events import Features, Label, Outcome, Rejected, Vector, decode_example
from shared.log import Position, Record

Decoded = tuple[Record, Features | Label]

_READ = ("learned", "corrected", "retracted")
"""Outcomes for which the features were read, whatever else a batch held."""


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
        self._births: dict[int, int] = {}

    def apply(self, records: Sequence[Record]) -> Folded:
        """Fold records in. Reads features back from the log where the cache has them no more: raises LogUnavailable."""
        self.cache.turn()
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
        if isinstance(event, Label):
            stream = self._stream(event.stream)
            turn.flush(stream)
            turn.emitted += self._attributed(stream.label(event, turn.features), stream, event)
            return
        self._make_sure_of_room(event)
        stream = self._stream(event.stream)
        if turn.holds(stream, event.id) or stream.knows(event.id):
            turn.flush(stream)
        if stream.accept(event):
            self.cache.put(event.position, event.vector, event.attributes)
            turn.hold(stream, event)
        else:
            turn.repeated += 1

    def _attributed(self, emitted: list[Emit], stream: StreamState, label: Label) -> list[Emit]:
        """The label's outcome with the attributes of its image, where its features were read for it."""
        entry = stream.window.find(label.id) if self.cache.read else None
        attributes = self.cache.read.get(entry.position) if entry else None
        if not attributes or not isinstance(emitted[0].event, Outcome) or emitted[0].event.status not in _READ:
            return emitted
        outcome = emitted[0].event._replace(attributes=attributes)
        return [Emit(emitted[0].at, outcome), *emitted[1:]]

    def _stream(self, name: str) -> StreamState:
        if name not in self.streams:
            if len(self.streams) >= self._limits.max_streams:
                raise Rejected("too-many-streams", f"this partition holds {len(self.streams)} (PREQUEL_MAX_STREAMS)")
            self.streams[name] = StreamState(name, self._limits, self._table)
        return self.streams[name]

    def _make_sure_of_room(self, event: Features) -> None:
        """Raises Rejected where the models of one more stream are too many for a snapshot; the first always fits."""
        known = self.streams.get(event.stream)
        if known is not None and known.models:
            return
        held = sum(self._birth_bytes(stream.dim) for stream in self.streams.values() if stream.models)
        if held and held + self._birth_bytes(event.vector.size) > self._limits.max_model_bytes:
            raise Rejected("too-many-streams", f"their models take {held} bytes already (PREQUEL_MAX_MODEL_BYTES)")

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

    def parts(self, seal: Callable[[ModelState], Part]) -> dict[str, dict[str, Part]]:
        """Stream -> its parts by name."""
        return {name: parts(stream, seal) for name, stream in self.streams.items()}

    def digest(self) -> str:
        """SHA-256 over all of the state: equal logs give equal digests (one build, one kind of processor)."""
        return digest({name: found["head"].digest for name, found in self.parts(fingerprint).items()})

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
            self.streams[name] = read(read_part(address), read_part, envelope.open, limits, table)
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
