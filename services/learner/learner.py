"""The learner: folds the partitions it owns, publishes predictions and status, commits snapshots, answers queries."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from pydantic import ValidationError

from services.learner.describe import Recalls, describe, end, forget, hide, measure
from services.learner.envelope import Envelope, Place
from services.learner.erasures import Erasures
from services.learner.feature_cache import FeatureCache
from services.learner.fold import Fold, Folded
from services.learner.moves import moved
from services.learner.snapshots import Root, Snapshots
from services.learner.stream import Limits, ModelTable
from shared import status
from shared.config import ConfigError, Settings
from shared.events import (
    Applied,
    Outcome,
    Prediction,
    Vector,
    encode_applied,
    encode_drift,
    encode_outcome,
    encode_prediction,
)
from shared.log import EXAMPLES, Log, Message, Position, Record
from shared.metrics import Metrics
from shared.runner import Processed
from shared.status import Answer, SnapshotStatus, StreamStatus, UnknownStream
from shared.store import Fence, Fenced, Store

SOURCE = "prequel/learner"
STATUS_SECONDS = 0.25
LOOK_SECONDS = 5.0
"""How often an idle learner looks whether the store still has its snapshots."""
IDLE_SECONDS = 0.2
NO_STREAM = "(none)"
"""What labels for streams that do not exist are counted as: anybody can think up names."""

logger = logging.getLogger(__name__)


@dataclass
class _Partition:
    """A partition that is ours."""

    fold: Fold
    snapshots: Snapshots
    generation: int
    partitions: int
    """Of the topic, when this one was taken over: later ones would bless what moved streams meanwhile."""
    snapshot: SnapshotStatus | None
    erasures: Erasures


def limits(settings: Settings) -> Limits:
    """What of the settings the state depends on."""
    return Limits(
        tuple(settings.model_names),
        settings.seed,
        settings.window,
        settings.duplicates,
        settings.accuracy_window,
        settings.max_streams,
        settings.max_labels,
        settings.max_waiting,
        settings.max_model_bytes,
        settings.unknown_probability,
        settings.unknown_distance,
    )


class Learner:
    """A Processor (see shared.runner) over ``examples``, and the Queries of the streams whose partitions it owns."""

    name = "learner"
    topic = EXAMPLES
    most_records = 512

    def __init__(
        self,
        settings: Settings,
        *,
        log: Log,
        store: Store,
        table: ModelTable,
        metrics: Metrics,
        clock: Callable[[], float],
        owner: str,
        address: str | None = None,
    ) -> None:
        self._settings, self._log, self._store, self._table = settings, log, store, table
        self._metrics, self._clock, self._owner, self._address = metrics, clock, owner, address
        self._limits = limits(settings)
        self._lock = threading.Lock()
        """Held while the state changes and while a query reads it."""
        self._partitions: dict[int, _Partition] = {}
        self._changed: set[tuple[int, str]] = set()
        self._statuses: dict[str, bytes] = {}
        """What was published of each stream last."""
        self._recalls: dict[str, Recalls] = {}
        self._published = self._looked = clock()

    # Processor.

    def restore(self, partition: int, generation: int) -> int:
        fence = Fence(self._settings.incarnation, generation, self._owner)
        snapshots = Snapshots(self._store, partition, fence, most_bytes=self._settings.snapshot_max_bytes)
        try:
            roots = snapshots.acquire()
        except Fenced as error:
            raise Fenced(f"examples:{partition}: {error}. {_outlived(self._settings)}") from error
        partitions = roots[0].partitions if roots else self._log.partitions(EXAMPLES)
        self._check_partitions(partitions)
        fold = self._newest(partition, snapshots, roots)
        if fold is None:
            begin = self._begin(partition)
            fold = Fold(self._limits, self._table, self._cache(), position=begin, partitions=partitions)
        erasures = Erasures(self._log, self._store, partition, self._clock)
        erasures.resume(fold.commands.deletions.values())
        with self._lock:
            self._partitions[partition] = _Partition(fold, snapshots, generation, partitions, None, erasures)
            self._changed |= {(partition, name) for name in fold.streams.keys() | fold.commands.deletions.keys()}
        if found := self._published_snapshot(partition, fold):
            self._show(partition, found)
        return fold.position

    def process(self, records: Sequence[Record]) -> Processed:
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        messages: list[Message] = []
        rejected = []
        for number, found in by_partition.items():
            with self._lock:
                folded = self._partitions[number].fold.apply(found)
            messages += self._messages(number, folded)
            rejected += self._partitions[number].erasures.take(folded)
            self._metrics.early.labels(str(number)).set(len(self._partitions[number].fold.early))
        for partition in self._partitions.values():
            partition.erasures.work()
        if not records and self._clock() - self._looked >= LOOK_SECONDS:
            self._look()
        if self._changed and self._clock() - self._published >= STATUS_SECONDS:
            self._publish()
        return Processed(messages, rejected, {n: self._partitions[n].fold.position for n in by_partition})

    def patience(self) -> float:
        return min((each.erasures.patience(IDLE_SECONDS) for each in self._partitions.values()), default=IDLE_SECONDS)

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        for number in sorted(positions):
            self._snapshot(number, self._partitions[number])
        self._publish()

    def drop(self, partition: int) -> None:
        with self._lock:
            lost = self._partitions.pop(partition, None)
            self._changed = {(number, name) for number, name in self._changed if number != partition}
        streams = list(lost.fold.streams) if lost else []
        for name in streams:
            self._recalls.pop(name, None)
            self._statuses.pop(name, None)
        forget(streams, self._metrics)

    def hide(self, partition: int) -> None:
        hide(partition, self._metrics)

    # Queries.

    def answer(self, stream: str, features: Vector) -> Answer:
        with self._lock:
            for number, partition in self._partitions.items():
                state = partition.fold.streams.get(stream)
                if state is not None and state.models:
                    if features.shape != (state.dim,) or not np.isfinite(features).all():
                        raise ValueError(f"stream {stream} takes {state.dim} finite values, not {features.size}")
                    probabilities, names, unknown = state.answer(features)
                    return Answer(
                        stream=stream,
                        position=str(Position(number, partition.fold.position)),
                        model=self._limits.models[0],
                        label=None if unknown else names[self._limits.models[0]],
                        probabilities=probabilities,
                        models=names,
                        unknown=unknown,
                    )
        raise UnknownStream(stream)

    # The parts.

    def _newest(self, partition: int, snapshots: Snapshots, roots: Sequence[Root]) -> Fold | None:
        """The state of the newest snapshot that is whole, was folded with these settings, and of this log."""
        end = self._log.bounds(EXAMPLES)[partition].end
        for root in roots:
            if root.offset > end:
                # A broker that went down with its machine may come back without what it had not written to disk.
                logger.warning(
                    "examples:%d ends at %d, before the snapshot at %d: an older one is used",
                    partition,
                    end,
                    root.offset,
                )
                snapshots.disown(root)
                continue
            if not same_limits(root, self._limits):
                logger.warning(
                    "examples:%d is folded anew from the log: its snapshots were made with other settings (%s)",
                    partition,
                    root.limits,
                )
                return None
            envelope = self._envelope(Place(partition, root.offset, root.generation))
            try:
                return Fold.from_root(root, snapshots.read, envelope, self._limits, self._table, self._cache())
            except ValueError as error:
                logger.warning("examples:%d: snapshot at %d is not used: %s", partition, root.offset, error)
        return None

    def _check_partitions(self, before: int) -> None:
        """Blocks. Raises ConfigError where the topic has not as many as before, LogUnavailable."""
        check_partitions(before, self._log.partitions(EXAMPLES))

    def _messages(self, partition: int, folded: Folded) -> list[Message]:
        self._metrics.duplicates.labels(self.name).inc(folded.repeated)
        self._metrics.moved.labels(self.topic).inc(len(folded.moved))
        messages = [moved(record) for record in folded.moved]
        fold = self._partitions[partition].fold
        early = {
            (event.stream, event.id)
            for at, event in folded.emitted
            if isinstance(event, Outcome) and event.position != at
        }
        for _, event in folded.emitted:
            if event.stream in fold.streams or event.stream in fold.commands.deletions:
                self._changed.add((partition, event.stream))
            if isinstance(event, Prediction):
                self._metrics.predictions.labels(event.stream).inc()
                if event.truth is not None and (event.stream, event.id) not in early:
                    self._metrics.labels.labels(event.stream, "learned").inc()
                messages.append(encode_prediction(event, source=SOURCE))
            elif isinstance(event, Outcome):
                counted = event.stream if event.stream in fold.streams else NO_STREAM
                self._metrics.labels.labels(counted, event.status).inc()
                messages.append(encode_outcome(event, source=SOURCE))
            elif isinstance(event, Applied):
                messages.append(encode_applied(event, source=SOURCE))
            else:
                self._metrics.drift.labels(event.stream, event.model).inc()
                messages.append(encode_drift(event, source=SOURCE))
        return messages

    def _snapshot(self, number: int, partition: _Partition) -> None:
        self._check_partitions(partition.partitions)
        began = self._clock()
        fold = partition.fold
        envelope = self._envelope(Place(number, fold.position, partition.generation))
        written = partition.snapshots.write(
            fold.position, partition.partitions, self._limits, fold.parts(envelope.seal)
        )
        now = self._clock()
        found = SnapshotStatus(
            position=str(Position(number, fold.position)), at=now, bytes=written.total, seconds=now - began
        )
        self._show(number, found)
        partition.erasures.committed()
        self._metrics.snapshot_seconds.observe(now - began)
        self._metrics.snapshot_bytes.set(written.written)
        self._changed |= {(number, name) for name in fold.streams}

    def _show(self, number: int, snapshot: SnapshotStatus) -> None:
        self._partitions[number].snapshot = snapshot
        # Of the moment when it is asked: a learner that is stuck must not look as if it had just written one.
        self._metrics.snapshot_age.labels(str(number)).set_function(lambda: self._clock() - snapshot.at)

    def _published_snapshot(self, number: int, fold: Fold) -> SnapshotStatus | None:
        """What was published of the snapshot that the fold begins with; None where it was another, or unreadable."""
        for name in fold.streams:
            try:
                found = StreamStatus.model_validate_json(self._store.get(status.key(name)) or b"").snapshot
            except ValidationError:
                continue
            if found and found.position == str(Position(number, fold.position)):
                return found
        return None

    def _publish(self) -> None:
        now = self._clock()
        for number, name in sorted(self._changed):
            partition = self._partitions[number]
            state = partition.fold.streams.get(name)
            if state is None:
                self._end(name)
                continue
            found = describe(
                state,
                Position(number, partition.fold.position),
                now=now,
                snapshot=partition.snapshot,
                address=self._address,
            )
            self._statuses[name] = found.model_dump_json().encode()
            self._store.put(status.key(name), self._statuses[name])
            self._recalls[name] = measure(found, self._metrics, self._recalls.get(name, frozenset()))
            for delay in state.delays:
                self._metrics.label_delay.labels(name).observe(delay)
            state.delays.clear()
            self._metrics.position.labels(str(number)).set(partition.fold.position)
        self._changed.clear()
        self._published = now

    def _end(self, stream: str) -> None:
        """Take out what is shown of a stream that was deleted."""
        self._store.delete([status.key(stream)])
        self._statuses.pop(stream, None)
        self._recalls.pop(stream, None)
        end(stream, self._metrics)

    def _look(self) -> None:
        """Raises Fenced where the store was emptied: what it should have is then made again, without an event first.

        Statuses are not fenced: one that a learner wrote when it woke up too late is replaced by ours.
        """
        for number, partition in self._partitions.items():
            if partition.snapshots.lost():
                raise Fenced(f"examples:{number}: the store has lost the snapshots; the state is folded anew")
            for name in partition.fold.streams:
                if self._store.get(status.key(name)) != self._statuses.get(name):
                    self._changed.add((number, name))
            ended = partition.fold.commands.deletions.keys() - partition.fold.streams.keys()
            if ended:
                shown = ended & set(status.streams(self._store.keys(status.PREFIX)))
                self._changed |= {(number, name) for name in shown}
        self._looked = self._clock()

    def _begin(self, partition: int) -> int:
        begin = self._log.bounds(EXAMPLES)[partition].begin
        if begin > 0:
            logger.warning(
                "examples:%d is folded from %d on, the log's begin: no snapshot has what came before",
                partition,
                begin,
            )
        return begin

    def _cache(self) -> FeatureCache:
        return FeatureCache(self._log, self._settings.cache_examples, self._settings.cache_bytes)

    def _envelope(self, place: Place) -> Envelope:
        return Envelope(self._settings.snapshot_key.get_secret_value().encode(), place)


def _outlived(settings: Settings) -> str:
    return (
        "Another learner may just have taken it over; if instead the consumer group was deleted or has expired, its "
        f"generations began again at 1: set PREQUEL_INCARNATION={settings.incarnation + 1} for all learners"
    )


def check_partitions(before: int, now: int) -> None:
    """Raises ConfigError where the topic has not as many partitions as when the snapshots were made."""
    if now != before:
        raise ConfigError(
            f"topic {EXAMPLES} has {now} partitions, its snapshots were made with {before}: new events of a stream "
            f"would come to another partition than its old ones. Make the topic anew with {before} partitions and copy "
            "its records, each into its partition and in order; or begin with new topics, an empty store and another "
            "PREQUEL_GROUP"
        )


def same_limits(root: Root, limits: Limits) -> bool:
    """Whether a snapshot was folded with these settings."""
    return bool(orjson.dumps(root.limits) == orjson.dumps(list(limits)))
