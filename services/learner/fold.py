"""The fold over one partition of examples: ``state = fold(log[0:offset])``, pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from services.learner.blobs import Part, part, unpack
from services.learner.commands import Commands, Deletion, applied, deletion
from services.learner.early import EarlyLabels
from services.learner.envelope import Envelope, Place
from services.learner.feature_cache import FeatureCache
from services.learner.models.model import ModelState
from services.learner.moves import Moves
from services.learner.reactions import reaction
from services.learner.snapshots import Root, digest
from services.learner.stream import Emit, Limits, ModelTable, StreamState
from services.learner.stream_parts import parts, read
from shared.events import Applied, Command, Erased, Example, Features, Label, Outcome, Rejected, Vector, decode_example
from shared.log import Position, Record

Decoded = tuple[Record, Example]
PARTITION = ""
"""Beside the streams' names in a snapshot: the part of the state that is no stream's."""


class Folded(NamedTuple):
    """What came of some records, in log order."""

    emitted: list[Emit]
    rejected: list[tuple[Record, Rejected]]
    repeated: int
    """Duplicates among them."""
    moved: list[Record]
    """Those that belong to another partition: here they have no effect."""
    deletions: list[Deletion]
    late: list[Deletion]
    """Those that some features among the rejected came too late for."""


class Fold:
    """The state of every stream of a partition. However records are cut into calls, state and outputs are the same."""

    def __init__(
        self, limits: Limits, table: ModelTable, cache: FeatureCache, *, position: int, partitions: int = 1
    ) -> None:
        self._limits, self._table, self.cache = limits, table, cache
        self.streams: dict[str, StreamState] = {}
        self.early = EarlyLabels(limits.max_waiting, limits.window)
        self.commands = Commands()
        self._moves = Moves(partitions)
        self.position = position
        """The next offset to fold."""
        self._births: dict[int, int] = {}

    def apply(self, records: Sequence[Record]) -> Folded:
        """Fold records in. Reads features back from the log where the cache has them no more: raises LogUnavailable."""
        here, moved, repeated = self._sort(records)
        decoded, rejected = _decode(here)
        turn = _Turn(self._features(decoded))
        turn.repeated = repeated
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
        return Folded(turn.emitted, rejected, turn.repeated, moved, turn.deletions, turn.late)

    def _sort(self, records: Sequence[Record]) -> tuple[list[Record], list[Record], int]:
        """The records that are to be folded here, those of other partitions, and how many were here already."""
        here: list[Record] = []
        moved: list[Record] = []
        for record in records:
            if self._moves.misplaced(record):
                moved.append(record)
            elif not self._moves.repeated(record):
                here.append(record)
        return here, moved, len(records) - len(here) - len(moved)

    def _step(self, event: Example, turn: "_Turn") -> None:
        if isinstance(event, Features):
            self._take_features(event, turn)
        elif isinstance(event, Label):
            turn.emitted += self._take_label(event, turn)
        elif isinstance(event, Command):
            turn.emitted.append(Emit(event.position, self._obey(event, turn)))
        else:
            self._take_erased(event)

    def _take_label(self, event: Label, turn: "_Turn") -> list[Emit]:
        stream = self.streams.get(event.stream)
        if stream is None:
            return [Emit(event.position, outcome) for outcome in self.early.take(event)]
        turn.flush(stream)
        return stream.label(event, turn.features)

    def _take_features(self, event: Features, turn: "_Turn") -> None:
        if found := self.commands.deletion_of(event):
            turn.late.append(found)
            raise Rejected("stream-deleted", f"stream {event.stream} was deleted after this image had come in")
        self._make_sure_of_room(event.stream, event.vector.size)
        stream = self._stream(event.stream)
        if turn.holds(stream, event.id) or stream.knows(event.id):
            turn.flush(stream)
        if stream.accept(event):
            self.cache.put(event.position, event.vector)
            turn.hold(stream, event)
        else:
            turn.repeated += 1

    def _take_erased(self, event: Erased) -> None:
        """What other streams had to do with: the room that a stream took, and labels that waited for it."""
        if event.id and event.stream not in self.streams:
            self.early.erased(event)
        if event.dim:
            with suppress(Rejected):  # As the whole event was, which is a dead letter.
                self._make_sure_of_room(event.stream, event.dim)
                self._stream(event.stream).begin(event.backbone, event.dim)

    def _obey(self, command: Command, turn: "_Turn") -> Applied:
        if known := self.commands.known(command):
            turn.repeated += 1
            return known
        answer = _COMMANDS[command.do](self, command, turn) if command.do in _COMMANDS else _unknown(command)
        self.commands.remember(answer)
        return answer

    def _create(self, command: Command, turn: "_Turn") -> Applied:
        if command.stream in self.streams:
            return applied(command, "refused", f"there is a stream {command.stream} already")
        try:
            self._stream(command.stream)
        except Rejected as error:
            return applied(command, "refused", error.detail)
        return applied(command, "applied")

    def _delete(self, command: Command, turn: "_Turn") -> Applied:
        found = deletion(command)
        if command.stream not in self.streams:
            return applied(command, "refused", f"there is no stream {command.stream}")
        if found is None:
            return applied(command, "refused", 'field images must be an object of partition and offset, like {"0": 17}')
        turn.flush(self.streams.pop(command.stream))
        self.early.drop(command.stream)
        self.commands.deleted(found)
        turn.deletions.append(found)
        return applied(command, "applied")

    def _stream(self, name: str) -> StreamState:
        if name not in self.streams:
            if len(self.streams) >= self._limits.max_streams:
                raise Rejected("too-many-streams", f"this partition holds {len(self.streams)} (PREQUEL_MAX_STREAMS)")
            self.streams[name] = StreamState(name, self._limits, self._table)
            self.streams[name].adopt(self.early.adopt(name))
        return self.streams[name]

    def _make_sure_of_room(self, stream: str, dim: int) -> None:
        """Raises Rejected where the models of one more stream are too many for a snapshot; the first always fits."""
        known = self.streams.get(stream)
        if known is not None and known.models:
            return
        held = sum(self._birth_bytes(each.dim) for each in self.streams.values() if each.models)
        if held and held + self._birth_bytes(dim) > self._limits.max_model_bytes:
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
        """Stream -> its parts by name; under PARTITION what is no stream's, where there is any."""
        found = {name: parts(stream, seal) for name, stream in self.streams.items()}
        own = {"early": self.early.rows(), "moves": self._moves.rows(), **self.commands.numbers()}
        return found | ({PARTITION: {"head": part(own | {"parts": {}})}} if any(own.values()) else {})

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
        self = cls(limits, table, cache, position=root.offset, partitions=root.partitions)
        for name, address in root.streams.items():
            if name == PARTITION:
                self._load(unpack(read_part(address))[0])
            else:
                self.streams[name] = read(read_part(address), read_part, envelope.open, limits, table)
        return self

    def _load(self, own: Mapping[str, Any]) -> None:
        self.early.load(own["early"])
        self._moves.load(own["moves"])
        self.commands.load(own)


Obey = Callable[[Fold, Command, "_Turn"], Applied]
_COMMANDS: Mapping[str, Obey] = {"stream.create": Fold._create, "stream.delete": Fold._delete}


def _unknown(command: Command) -> Applied:
    return applied(
        command, "refused", f"{command.do} is not known to this version, which knows {' and '.join(_COMMANDS)}"
    )


class _Turn:
    """One batch on its way: runs of examples not yet predicted, one a stream, and what came out so far."""

    def __init__(self, features: Callable[[Position], Vector | None]) -> None:
        self.features = features
        self.emitted: list[Emit] = []
        self.repeated = 0
        self.deletions: list[Deletion] = []
        self.late: list[Deletion] = []
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
