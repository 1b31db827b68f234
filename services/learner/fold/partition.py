"""The fold over one partition of examples: ``state = fold(log[0:offset])``, pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from prequel.services.learner.fold.commands import Commands, Deletion, applied, deletion
from prequel.services.learner.fold.defaults import History, Since, changed
from prequel.services.learner.fold.drift_reactions import reaction
from prequel.services.learner.fold.early_labels import EarlyLabels
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.moves import Moves
from prequel.services.learner.fold.stream import Emit, Limits, ModelTable, StreamState
from prequel.services.learner.fold.stream_parts import PARTITION, Streams, read, saved
from prequel.services.learner.models.base import ModelState, size_of
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.replay.catch_up import remodel
from prequel.services.learner.snapshots.blobs import Part, part, sha256, unpack
from prequel.services.learner.snapshots.envelope import Envelope, Place
from prequel.services.learner.snapshots.snapshots import Root, digest
from prequel.services.learner.snapshots.stored_stream import Saved
from prequel.shared.config import ConfigError
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import (
    Applied,
    Command,
    Defaults,
    Erased,
    ExampleEvent,
    Features,
    Label,
    Outcome,
    Rejected,
)
from prequel.shared.log.base import EXAMPLES, Position, Record
from prequel.shared.vectors import Vector

SOME_DIM = 8
"""Of vectors that a model is tried with: whether it can be made does not depend on it."""

STEADY = "ncm"
"""Goes with models of a replay that all begin anew at a drift: what they say of the first example then is scored only
because another model of the stream knows a class. It costs least."""

KEPT_REFUSED = 1_000
"""Names of refused streams that a partition remembers: more would make its root large, fewer repeat dead letters."""

Decoded = tuple[Record, ExampleEvent]

_READ = ("learned", "corrected", "retracted")
"""Outcomes for which the features were read, whatever else a batch held."""


class Folded(NamedTuple):
    """What came of some records, in log order."""

    emitted: list[Emit]
    rejected: list[tuple[Record, Rejected]]
    repeated: int
    """Duplicates among them."""
    conflicts: Mapping[str, int]
    """Of these, the ones that came with another image or another label, by which."""
    moved: list[Record]
    """Those that belong to another partition: here they have no effect."""
    deletions: list[Deletion]
    late: list[Deletion]
    """Those that some features among the rejected came too late for."""


class Fold:
    """The state of every stream of a partition. However records are cut into calls, state and outputs are the same."""

    def __init__(
        self,
        limits: Limits,
        table: ModelTable,
        cache: FeatureCache,
        *,
        position: int,
        started: float = 0.0,
        partitions: int = 1,
    ) -> None:
        """``limits`` are of a process that began at ``started``, until a record in the log says others."""
        self._table, self.cache, self._partitions = table, cache, partitions
        self.history = History(Since(position, started, limits))
        self.streams: dict[str, StreamState] = {}
        self.early = EarlyLabels(limits.max_waiting, limits.window)
        self.commands = Commands()
        self._moves = Moves(partitions)
        self.position = position
        """The next offset to fold."""
        self.last = ""
        """The digest of the last record folded: what tells this log from another one."""
        self.refused: dict[str, None] = {}
        """The newest streams for which there was no room: each gets one dead letter."""
        self.saved: dict[str, Saved] = {}
        """Streams that are as a snapshot has them. Not part of the state."""
        self._births: dict[int, int] = {}
        self._sizes: dict[str, int] = {}
        self._live: Mapping[str, StreamState] | None = None
        """In a replay, the streams that it is for."""

    @property
    def limits(self) -> Limits:
        """What is in force now."""
        return self.history.now.limits

    def apply(self, records: Sequence[Record]) -> Folded:
        """Fold records in. Reads features back from the log where the cache has them no more: raises LogUnavailable."""
        self.cache.turn()
        self.saved.pop(PARTITION, None)
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
            self.position, self.last = records[-1].offset + 1, fingerprint_of(records[-1])
        rejected.sort(key=lambda pair: pair[0].offset)
        turn.emitted.sort(key=lambda emit: emit.at.offset)
        return Folded(turn.emitted, rejected, turn.repeated, turn.conflicts, moved, turn.deletions, turn.late)

    def _sort(self, records: Sequence[Record]) -> tuple[list[Record], list[Record], int]:
        """The records that are to be folded here, those of other partitions, and how many were here already."""
        if not self._moves.possible:
            return list(records), [], 0
        here: list[Record] = []
        moved: list[Record] = []
        for record in records:
            if self._moves.misplaced(record):
                moved.append(record)
            elif not self._moves.repeated(record):
                here.append(record)
        return here, moved, len(records) - len(here) - len(moved)

    def _step(self, event: ExampleEvent, turn: "_Turn") -> None:
        if isinstance(event, Defaults):
            self._take_defaults(event, turn)
            return
        if self._live is not None and not _replayed(event, self._live.get(event.stream)):
            return
        self.saved.pop(event.stream, None)
        self._sizes.pop(event.stream, None)
        if isinstance(event, Features):
            self._take_features(event, turn)
        elif isinstance(event, Label):
            turn.emitted += self._take_label(event, turn)
        elif isinstance(event, Command):
            turn.emitted.append(Emit(event.position, self._obey(event, turn)))
        else:
            self._take_erased(event, turn)

    def _take_defaults(self, event: Defaults, turn: "_Turn") -> None:
        limits = changed(self.limits, event)
        turn.flush()
        self._change(Since(event.position.offset, event.started, limits), event.position.partition)

    def _take_label(self, event: Label, turn: "_Turn") -> list[Emit]:
        stream = self.streams.get(event.stream)
        if stream is None and self._live is None:
            return [Emit(event.position, outcome) for outcome in self.early.take(event)]
        stream = stream or self._stream(event.stream, event.position)
        turn.flush(stream)
        return self._attributed(stream.label(event, turn.features), stream, event)

    def _take_features(self, event: Features, turn: "_Turn") -> None:
        if found := self.commands.deletion_of(event):
            turn.late.append(found)
            raise Rejected("stream-deleted", f"stream {event.stream} was deleted after this image had come in")
        self._make_sure_of_room(event.stream, event.vector.size, turn)
        stream = self._stream(event.stream, event.position)
        if turn.holds(stream, event.id) or stream.knows(event.id):
            turn.flush(stream)
        if stream.accept(event):
            self.cache.put(event.position, event.vector, event.attributes)
            turn.hold(stream, event)
        else:
            turn.repeat(stream.repeat(event))

    def _change(self, change: Since, partition: int) -> None:
        """Other settings from this record on. Blocks while models that are new are caught up."""
        before = self.limits
        if self._live is not None:
            change = change._replace(limits=change.limits._replace(models=before.models))
        if change.limits == before:
            self.history.add(change)
            return
        check_models(self._table, set(change.limits.models) - set(before.models))
        twins = self._caught_up(change, partition)
        self.history.add(change)
        self.early.limit(change.limits.max_waiting, change.limits.window)
        # Every stream may be another one now, and models of another number take other room.
        for known in (self._births, self.saved, self._sizes):
            known.clear()
        for name, stream in self.streams.items():
            if change.limits.models != before.models:
                remodel(stream, change.limits.models, twins.get(name))
            stream.limit(change.limits)

    def _caught_up(self, change: Since, partition: int) -> dict[str, StreamState]:
        """The models that are new, by stream: as if they had been there since the earliest record that the log has."""
        added = tuple(spec for spec in change.limits.models if spec not in self.limits.models)
        live = {name: stream for name, stream in self.streams.items() if stream.models}
        if not added or not live:
            return {}
        begin, batches = self.cache.replay(partition, change.offset)
        limits = self.history.at(begin)._replace(models=added if _steady(added) else (*added, STEADY))
        replay = Fold(limits, self._table, self.cache.another(), position=begin, partitions=self._partitions)
        replay._live, replay.commands = live, self.commands
        for records in batches:
            replay.apply(records)
        missing = {name: stream.twin(limits) for name, stream in live.items() if name not in replay.streams}
        twins = replay.streams | missing
        for twin in twins.values():
            remodel(twin, added, None)
        return twins

    def _attributed(self, emitted: list[Emit], stream: StreamState, label: Label) -> list[Emit]:
        """The label's outcome with the attributes of its image, where its features were read for it."""
        entry = stream.window.find(label.id) if self.cache.read else None
        attributes = self.cache.read.get(entry.position) if entry else None
        if not attributes or not isinstance(emitted[0].event, Outcome) or emitted[0].event.status not in _READ:
            return emitted
        outcome = emitted[0].event._replace(attributes=attributes)
        return [Emit(emitted[0].at, outcome), *emitted[1:]]

    def _take_erased(self, event: Erased, turn: "_Turn") -> None:
        """What other streams had to do with: the room that a stream took, and labels that waited for it."""
        if event.id and event.stream not in self.streams:
            self.early.erased(event)
        if event.dim:
            with suppress(Rejected):  # As the whole event was, which is a dead letter.
                self._make_sure_of_room(event.stream, event.dim, turn)
                self._stream(event.stream, event.position).begin(event.backbone, event.dim)

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
            self._stream(command.stream, command.position)
        except Rejected as error:
            return applied(command, "refused", error.detail)
        return applied(command, "applied")

    def _delete(self, command: Command, turn: "_Turn") -> Applied:
        found = deletion(command)
        if found is None:
            return applied(command, "refused", 'field images must be an object of partition and offset, like {"0": 17}')
        if command.stream in self.streams:
            turn.flush(self.streams.pop(command.stream))
        elif not any(found.images.values()):  # Else its images may be on their way, and must not bring it to life.
            return applied(command, "refused", f"there is no stream {command.stream}")
        self.early.drop(command.stream)
        self.refused.pop(command.stream, None)
        turn.deletions.append(self.commands.deleted(found))
        return applied(command, "applied")

    def _stream(self, name: str, at: Position) -> StreamState:
        """The stream, which begins here where there is none."""
        if name not in self.streams:
            self.streams[name] = self._new_stream(name)
            self.streams[name].begun = at.offset
            self.streams[name].adopt(self.early.adopt(name))
        return self.streams[name]

    def _new_stream(self, name: str) -> StreamState:
        if self._live is not None:
            return self._live[name].twin(self.limits)
        if len(self.streams) >= self.limits.max_streams:
            raise Rejected("too-many-streams", f"this partition holds {len(self.streams)} (PREQUEL_MAX_STREAMS)")
        return StreamState(name, self.limits, self._table)

    def _make_sure_of_room(self, stream: str, dim: int, turn: "_Turn") -> None:
        """Raises Rejected where there is no room for one more stream; with a dead letter only for its first image."""
        known = self.streams.get(stream)
        if self._live is not None or (known is not None and known.models):
            return
        turn.flush()  # What the others hold must not depend on where a batch ends.
        full = self.full(dim) if known is None else self._full_of_models(dim)
        if not full:
            self.refused.pop(stream, None)
            return
        told = stream in self.refused
        self.refused[stream] = None
        if len(self.refused) > KEPT_REFUSED:
            del self.refused[next(iter(self.refused))]
        raise Rejected("too-many-streams", f"{full}; later images of this stream are only counted", counted=told)

    def full(self, dim: int) -> str:
        """Why there is no room for one more stream of such features, with the setting's name; empty where there is."""
        if len(self.streams) >= self.limits.max_streams:
            return f"this partition holds {len(self.streams)} streams (PREQUEL_MAX_STREAMS)"
        return self._full_of_models(dim)

    def _full_of_models(self, dim: int) -> str:
        """The first stream always fits, and those that there are go on whatever their models grow to."""
        held = self.held()
        if held and held + self._birth_bytes(dim) > self.limits.max_model_bytes:
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
            states = [self._table.create(reaction(spec).spec, dim, seed=0).state() for spec in self.limits.models]
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
        """Stream -> its parts by name; under PARTITION what is no stream's, where there is any."""
        own = {"early": self.early.rows(), "moves": self._moves.rows(), **self.commands.numbers()}
        return Streams(self.streams, seal, part(own | {"parts": {}}) if any(own.values()) else None)

    def digest(self) -> str:
        """SHA-256 over all of the state: equal logs give equal digests (one build, one kind of processor)."""
        heads = {name: found["head"].digest for name, found in self.parts(fingerprint).items()}
        return digest(heads, self.history.rows(), list(self.refused))

    @classmethod
    def from_root(
        cls,
        root: Root,
        read_part: Callable[[str], bytes],
        envelope: Envelope,
        table: ModelTable,
        cache: FeatureCache,
    ) -> "Fold":
        """The state that a snapshot stands for. Raises ValueError where a part is missing, damaged or not ours."""
        history = History.from_rows(root.defaults)
        self = cls(history.now.limits, table, cache, position=root.offset, partitions=root.partitions)
        self.history, self.last = history, root.last
        for name, address in root.streams.items():
            head = read_part(address)
            if name == PARTITION:
                self._load(unpack(head)[0])
                continue
            self.streams[name] = read(head, read_part, envelope.open, self.limits, table)
            if (found := saved(head)) is not None:
                self.saved[name] = found
        self.refused = dict.fromkeys(root.refused)
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


def _replayed(event: Features | Label | Command | Erased, live: StreamState | None) -> bool:
    """Whether a replay for a stream takes an event: since the stream began, or a label that had waited for it."""
    if live is None or not isinstance(event, Features | Label):
        return False
    return event.position.offset >= live.begun or event.position.offset in live.adopted


def _steady(specs: Iterable[str]) -> bool:
    return any(reaction(spec).kind != "reset" for spec in specs)


def check_models(table: ModelTable, specs: Iterable[str]) -> None:
    """Raises ConfigError for a model that the log names and this Prequel cannot make.

    To leave it out would be another fold than that of whoever wrote the record.
    """
    for spec in sorted(specs):
        try:
            table.create(reaction(spec).spec, SOME_DIM, seed=0)
        except UnknownModel as error:
            raise ConfigError(
                f"the log (topic {EXAMPLES}) says that model {spec!r} is learned, which this Prequel cannot make: "
                f"{error}. Use the Prequel that wrote it, with all that the model needs installed"
            ) from error


class _Turn:
    """One batch on its way: runs of examples not yet predicted, one a stream, and what came out so far."""

    def __init__(self, features: Callable[[Position], Vector | None]) -> None:
        self.features = features
        self.emitted: list[Emit] = []
        self.repeated = 0
        self.conflicts = Counter[str]()
        self.deletions: list[Deletion] = []
        self.late: list[Deletion] = []
        self._runs: dict[str, tuple[StreamState, dict[str, Features]]] = {}

    def holds(self, stream: StreamState, id: str) -> bool:
        return stream.name in self._runs and id in self._runs[stream.name][1]

    def hold(self, stream: StreamState, event: Features) -> None:
        self._runs.setdefault(stream.name, (stream, {}))[1][event.id] = event

    def repeat(self, conflict: str) -> None:
        """Count a duplicate, which may have come with a difference."""
        self.repeated += 1
        if conflict:
            self.conflicts[conflict] += 1

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


def fingerprint_of(record: Record) -> str:
    """SHA-256 of a record as it is read back: another one at its place has another, also with the same value."""
    parts = [b"-" if record.key is None else b"+" + record.key, record.value]
    parts += [each for name, value in record.headers for each in (name.encode(), value)]
    place = b"%d %d " % (record.partition, record.offset) + b" ".join(b"%d" % len(each) for each in parts)
    return sha256(place + b"\n" + b"".join(parts))


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
