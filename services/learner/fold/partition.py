"""The fold over one partition of examples: ``state = fold(log[0:offset])``, pure."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from prequel.services.learner.fold.batch import FoldBatch, FoldResult
from prequel.services.learner.fold.capacity import Capacity
from prequel.services.learner.fold.command_handlers import apply_command
from prequel.services.learner.fold.commands import CommandHistory
from prequel.services.learner.fold.config import FoldConfig, with_defaults
from prequel.services.learner.fold.config_changes import change_config
from prequel.services.learner.fold.config_history import ConfigChange, ConfigHistory
from prequel.services.learner.fold.decisions.following import follow_decisions
from prequel.services.learner.fold.decisions.forgetting import forgotten_by
from prequel.services.learner.fold.decisions.own_settings import own_config
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.join.orphan_labels import OrphanLabels
from prequel.services.learner.fold.label_features import read_ahead, with_attributes
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.outputs import Output
from prequel.services.learner.fold.partition_parts import PARTITION_KEY, PartitionParts, unsigned_part
from prequel.services.learner.fold.record_digest import record_digest
from prequel.services.learner.fold.relocation import Relocations
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.stream_events import apply_features, apply_stream_label
from prequel.services.learner.models.base import ModelState
from prequel.services.learner.replay.handed_over import NO_REPLAYS, HandedOver
from prequel.services.learner.replay.rewriting import Rewriting
from prequel.services.learner.snapshots.blobs import Part, part
from prequel.services.learner.snapshots.root import partition_digest
from prequel.services.learner.snapshots.snapshots import SnapshotContent
from prequel.services.learner.snapshots.stored_stream import StoredStream
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Command, Defaults, Erased, ExampleEvent, Features, Label, Rejected
from prequel.shared.log.base import Position, Record


class Fold:
    """The state of every stream of a partition. However records are cut into calls, state and outputs are the same."""

    def __init__(
        self,
        config: FoldConfig,
        registry: ModelRegistry,
        cache: FeatureCache,
        *,
        position: int,
        started: float = 0.0,
        partitions: int = 1,
    ) -> None:
        """An empty state before ``position``, in a topic of so many partitions.

        ``config`` is that of a process that started at ``started``, until a record in the log says another.
        """
        self.registry, self.cache, self.partitions = registry, cache, partitions
        self.history = ConfigHistory(ConfigChange(position, started, config))
        self.streams: dict[str, StreamState] = {}
        self.orphan_labels = OrphanLabels(config.max_waiting, config.window)
        self.commands = CommandHistory()
        self.relocations = Relocations(partitions)
        self.capacity = Capacity(self.streams, registry)
        self.position = position
        """The next offset to fold."""
        self.last_record = ""
        """The digest of the last record folded: what tells this log from another one."""
        self.stored: dict[str, StoredStream] = {}
        """Streams that are as the store has them. Not part of the state."""
        self.live_streams: Mapping[str, StreamState] | None = None
        """In a replay, the streams that it is for; None where this is the live fold."""
        self.rewritings: Mapping[str, Rewriting] = {}
        """In a replay, what their decisions make of their past."""
        self.replays: HandedOver = NO_REPLAYS
        """Replays that another process has made, and a catch-up will ask for. Not part of the state."""

    @property
    def config(self) -> FoldConfig:
        """What is in force now."""
        return self.history.current.config

    def apply(self, records: Sequence[Record]) -> FoldResult:
        """Fold records in, and return what came of them.

        Blocks while features that the cache has no more are read. Raises LogUnavailable then, with some of the records
        folded: such a state must not be used any more, but restored.
        """
        self.cache.begin_batch()
        self.stored.pop(PARTITION_KEY, None)
        here, misplaced, copies = self.relocations.sort(records)
        decoded, rejected = _decode(here)
        batch = FoldBatch(read_ahead((event for _, event in decoded), self.streams, self.cache), self.cache)
        batch.duplicates = copies
        for record, event in decoded:
            try:
                self._step(event, batch)
            except Rejected as error:
                rejected.append((record, error))
        batch.flush()
        rejected += [(record, error) for record, error in batch.rejected_labels(records)]
        if records:
            self.position, self.last_record = records[-1].offset + 1, record_digest(records[-1])
        rejected.sort(key=lambda pair: pair[0].offset)
        batch.outputs.sort(key=lambda output: output.at.offset)
        return FoldResult(
            outputs=batch.outputs,
            rejected=rejected,
            duplicates=batch.duplicates,
            conflicts=batch.conflicts,
            misplaced=misplaced,
            deletions=batch.deletions,
            late=batch.late,
            noted=batch.noted,
        )

    def stream_at(self, name: str, at: Position) -> StreamState:
        """The stream, which begins here where there is none. Raises Rejected where there are too many."""
        if name not in self.streams:
            self.streams[name] = self._new_stream(name, at)
            self.streams[name].begun = at.offset
            self.streams[name].adopt(self.orphan_labels.remove_stream(name))
        return self.streams[name]

    def full(self, dim: int) -> str:
        """Why there is no room for one more stream of such features; empty where there is."""
        return self.capacity.full(self.config, dim)

    def empty_replay(self, config: FoldConfig, position: int) -> "Fold":
        """A fold from ``position`` on for what this one's streams have learned since then."""
        replay = Fold(config, self.registry, self.cache.empty_copy(), position=position, partitions=self.partitions)
        replay.live_streams = self.replayable_streams
        replay.rewritings = {name: Rewriting(stream.decisions) for name, stream in replay.live_streams.items()}
        replay.commands = self.commands
        return replay

    @property
    def replayable_streams(self) -> dict[str, StreamState]:
        """The streams for which a change of the settings' models means a replay: they learn, and have none of their
        own."""
        return {name: stream for name, stream in self.streams.items() if stream.models and not stream.has_own_models}

    def parts(self, seal: Callable[[ModelState], Part]) -> Mapping[str, Mapping[str, Part]]:
        """Stream -> its parts by name; under PARTITION_KEY what is no stream's, where there is any."""
        own = {"early": self.orphan_labels.rows(), "moves": self.relocations.rows(), **self.commands.numbers()}
        return PartitionParts(self.streams, seal, part(own | {"parts": {}}) if any(own.values()) else None)

    def snapshot_content(self, seal: Callable[[ModelState], Part]) -> SnapshotContent:
        """The state as a snapshot stores it; ``seal`` makes a model's part."""
        return SnapshotContent(
            offset=self.position,
            streams=self.parts(seal),
            config_history=self.history.rows(),
            last_record=self.last_record,
            rejected_streams=list(self.capacity.rejected),
        )

    def digest(self) -> str:
        """SHA-256 over all of the state: equal logs give equal digests (one build, one kind of processor)."""
        heads = {name: parts["head"].digest for name, parts in self.parts(unsigned_part).items()}
        return partition_digest(heads, self.history.rows(), list(self.capacity.rejected))

    def _step(self, event: ExampleEvent, batch: FoldBatch) -> None:
        if isinstance(event, Defaults):
            config = with_defaults(self.config, event)
            batch.flush()
            change = ConfigChange(event.position.offset, event.started, config)
            change_config(self, change, event.position.partition)
            return
        if self.live_streams is not None:
            if isinstance(event, Command):
                self._follow_settings(event, batch)
            if not _replayed(event, self.live_streams.get(event.stream)):
                return
            if isinstance(event, Features | Label):
                rewritten = self.rewritings[event.stream].event(event)
                if rewritten is None:
                    return
                event = rewritten
        self.stored.pop(event.stream, None)
        self.capacity.changed(event.stream)
        if isinstance(event, Features):
            self._apply_features(event, batch)
        elif isinstance(event, Label):
            batch.outputs += self._apply_label(event, batch)
        elif isinstance(event, Command):
            batch.outputs.append(Output(event.position, apply_command(self, event, batch)))
        else:
            self._apply_erased(event, batch)

    def _apply_features(self, event: Features, batch: FoldBatch) -> None:
        if deletion := self.commands.deletion_of(event):
            batch.late.append(deletion)
            raise Rejected("stream-deleted", f"stream {event.stream} was deleted after this image had come in")
        known = self.streams.get(event.stream)
        if decision := known.decisions.forgetting(event) if known and known.decisions else None:
            batch.late.append(forgotten_by(event.stream, decision))
            raise Rejected("forgotten", "the image was forgotten before its features came")
        self._check_room(event.stream, event.vector.size, batch)
        stream = self.stream_at(event.stream, event.position)
        apply_features(stream, event, batch)

    def _apply_label(self, event: Label, batch: FoldBatch) -> list[Output]:
        stream = self.streams.get(event.stream)
        if stream is None and self.live_streams is None:
            return [Output(event.position, outcome) for outcome in self.orphan_labels.apply(event)]
        stream = stream or self.stream_at(event.stream, event.position)
        return with_attributes(apply_stream_label(stream, event, batch), stream, event, self.cache)

    def _apply_erased(self, event: Erased, batch: FoldBatch) -> None:
        """Apply what other streams had to do with: the room that a stream took, and labels that waited for it."""
        if event.id and event.stream not in self.streams:
            self.orphan_labels.apply_erased(event)
        if event.dim:
            with suppress(Rejected):  # As the whole event was, which is a dead letter.
                self._check_room(event.stream, event.dim, batch)
                self.stream_at(event.stream, event.position).check_features(event.backbone, event.dim)

    def _follow_settings(self, event: Command, batch: FoldBatch) -> None:
        """In a replay, let a stream have the settings of its own that it has had from this command on."""
        if self.live_streams is not None and (stream := self.streams.get(event.stream)):
            batch.flush(stream)
            stream.decisions = self.live_streams[event.stream].decisions.settings_until(event.position.offset)
            follow_decisions(stream, self.config)

    def _new_stream(self, name: str, at: Position) -> StreamState:
        if self.live_streams is not None:
            live = self.live_streams[name]
            own = live.decisions.settings_until(at.offset)
            stream = live.empty_copy(own_config(self.config, own.settings, self.config.models))
            stream.decisions = own
            return stream
        if len(self.streams) >= self.config.max_streams:
            # The text is in the state, where a command is refused for it: another one is another digest.
            raise Rejected("too-many-streams", f"this partition holds {len(self.streams)} (PREQUEL_MAX_STREAMS)")
        return StreamState(name, self.config, self.registry)

    def _check_room(self, name: str, dim: int, batch: FoldBatch) -> None:
        """Raises Rejected where there is no room for one more stream of such features."""
        stream = self.streams.get(name)
        if self.live_streams is not None or (stream is not None and stream.models):
            return
        batch.flush()  # The size of the other streams' models must not depend on where a batch ends.
        self.capacity.check(self.config, name, dim)


def _replayed(event: Features | Label | Command | Erased, live: StreamState | None) -> bool:
    """Whether a replay for a stream applies an event: since the stream began, or a label that had waited for it."""
    if live is None or not isinstance(event, Features | Label):
        return False
    return event.position.offset >= live.begun or event.position.offset in live.adopted


def _decode(records: Sequence[Record]) -> tuple[list[tuple[Record, ExampleEvent]], list[tuple[Record, Rejected]]]:
    decoded: list[tuple[Record, ExampleEvent]] = []
    rejected: list[tuple[Record, Rejected]] = []
    for record in records:
        try:
            decoded.append((record, decode_example(record)))
        except Rejected as error:
            rejected.append((record, error))
    return decoded, rejected
