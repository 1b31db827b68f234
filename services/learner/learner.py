"""The learner: folds the partitions it owns, publishes predictions and status, commits snapshots, answers queries."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import ValidationError

from prequel.services.learner.description import Recalls, describe, detail, end, forget, hide, measure
from prequel.services.learner.erasures import Erasures
from prequel.services.learner.fold.defaults import Since, as_settings, limits
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.moves import moved
from prequel.services.learner.fold.partition import Fold, Folded
from prequel.services.learner.fold.stream import ModelTable
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.snapshots.envelope import Envelope, Place
from prequel.services.learner.snapshots.reach import Reach, floor
from prequel.services.learner.snapshots.recovery import check_reach, first_fold, foreign, overrules
from prequel.services.learner.snapshots.snapshots import Root, Snapshots
from prequel.shared import status
from prequel.shared.config import ConfigError, Settings
from prequel.shared.events.commands import encode_applied
from prequel.shared.events.defaults import encode_defaults
from prequel.shared.events.drifts import encode_drift
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Applied, Outcome, Prediction
from prequel.shared.log.base import EXAMPLES, Log, Message, Position, Record
from prequel.shared.log.partitioner import partition_for
from prequel.shared.queries import Answer, UnknownStream
from prequel.shared.retention import floors
from prequel.shared.runtime.deadlines import STATUS_BACKOFF
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed
from prequel.shared.runtime.retry import Attempts
from prequel.shared.status import PartitionStatus, SnapshotStatus, StreamDetail
from prequel.shared.store.base import Fence, Fenced, Store, StoreUnavailable
from prequel.shared.vectors import Vector

SOURCE = "prequel/learner"
CHECK_KEY = "learner/check"
"""Written before a group is joined, and read by nobody."""
STATUS_SECONDS = 0.25
STATUS_SHARE = 0.1
"""Of the time, at most, that goes into statuses: with many busy streams they come less often. Half as much would make
a few hundred busy streams' statuses seconds old, twice as much is missed by the fold."""
LOOK_SECONDS = 5.0
"""How often an idle learner looks whether the store still has its snapshots."""
IDLE_SECONDS = 0.2
SHORTEST_IDLE_SECONDS = 0.005
"""While a status waits to be published: whoever asked for it waits too. Never nothing, or a poll would not read on."""
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
    shown: frozenset[str]
    """Streams that the store showed when it was taken over. Some may be none here: they were only begun by a label, for
    an earlier Prequel, or stood in a part of the log that was lost."""
    settled: Since | None = None
    """The settings of the log that this learner has looked at: with these, or overruled by them."""
    told: PartitionStatus | None = None
    """What was published of it last."""
    reach: Reach = field(default_factory=Reach)


class Learner:
    """A Processor (shared/runtime/runner.py) over ``examples``, and the Queries of streams of its partitions."""

    name = "learner"
    topic = EXAMPLES
    max_records = 512

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
        health: Health | None = None,
    ) -> None:
        self._settings, self._log, self._store, self._table = settings, log, store, table
        self._metrics, self._clock, self._owner, self._address = metrics, clock, owner, address
        self._limits, self._started = limits(settings), clock()
        self._lock = threading.Lock()
        """Held while the state changes and while a query reads it."""
        self._partitions: dict[int, _Partition] = {}
        self._changed: set[tuple[int, str]] = set()
        self._undetailed: set[tuple[int, str]] = set()
        """Streams whose detail in the store is older than their state."""
        self._ended: set[tuple[int, str]] = set()
        """Streams that were deleted since what is shown was published; they may have begun again."""
        self._statuses: dict[str, bytes] = {}
        """What was published of each stream last."""
        self._recalls: dict[str, Recalls] = {}
        self._published = self._looked = clock()
        self._pace = 0.0
        """Seconds from one publication to the next, so that they take no more than their share of the time."""
        self._health = health or Health()
        self._statuses_kept = Attempts("learner: statuses", self._health, STATUS_BACKOFF, clock=clock)

    # Processor.

    def ready(self) -> None:
        """Raises StoreUnavailable where no snapshot could be written now: such a learner must not join its group.

        It writes, since a store that is full or a replica reads very well.
        """
        self._store.put(CHECK_KEY, b"")

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
            fold = self._first(partition, snapshots, roots)
            # What was said of snapshots that are not used any more would let go what is about to be read.
            floors.publish(self._store, partition, floors.Floor(fold.position, "", 0.0))
        erasures = Erasures(self._log, self._store, partition, self._clock, self._health)
        erasures.resume(fold.commands.deletions.values())
        names = status.streams(self._store.keys(status.PREFIX))
        shown = frozenset(name for name in names if partition_for(name.encode(), partitions) == partition)
        with self._lock:
            self._partitions[partition] = _Partition(fold, snapshots, generation, partitions, None, erasures, shown)
            self._changed |= {(partition, name) for name in fold.streams}
            deleted = {(partition, name) for name in fold.commands.deletions}
            self._ended |= deleted - self._changed
            self._undetailed |= deleted & self._changed
        self._settle(partition)
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
            self._settle(number)
            messages += self._messages(number, folded)
            rejected += self._partitions[number].erasures.take(folded)
            self._metrics.early.labels(str(number)).set(len(self._partitions[number].fold.early))
        for partition in self._partitions.values():
            partition.erasures.work()
        if not records and self._clock() - self._looked >= LOOK_SECONDS:
            self._look()
        pace = max(self._pace, STATUS_SECONDS) if records else self._pace
        if (self._changed or self._ended) and self._until_published(pace) <= 0:
            self._publish()
        return Processed(messages, rejected, {n: self._partitions[n].fold.position for n in by_partition})

    def poll_timeout(self) -> float:
        idle = min((each.erasures.patience(IDLE_SECONDS) for each in self._partitions.values()), default=IDLE_SECONDS)
        if not (self._changed or self._ended) or not self._statuses_kept.due:
            return idle
        return min(max(self._until_published(self._pace), SHORTEST_IDLE_SECONDS), idle)

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        for number in sorted(positions):
            self._snapshot(number, self._partitions[number])
        self._publish()
        # Like all that is only shown: what fails here is told and tried again, and costs no state.
        self._statuses_kept.run(lambda: self._publish_rest(sorted(positions)), StoreUnavailable)

    def discard(self, partition: int) -> None:
        with self._lock:
            lost = self._partitions.pop(partition, None)
            for waiting in (self._changed, self._undetailed, self._ended):
                waiting -= {(number, name) for number, name in waiting if number == partition}
        streams = list(lost.fold.streams) if lost else []
        for name in streams:
            self._recalls.pop(name, None)
            self._statuses.pop(name, None)
        forget(streams, self._metrics)

    def hide_metrics(self, partition: int) -> None:
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
                        model=state.limits.models[0],
                        label=None if unknown else names[state.limits.models[0]],
                        probabilities=probabilities,
                        models=names,
                        unknown=unknown,
                    )
        raise UnknownStream(stream)

    def detail(self, stream: str) -> StreamDetail:
        with self._lock:
            for number, partition in self._partitions.items():
                if stream in partition.fold.streams:
                    return detail(partition.fold.streams[stream], Position(number, partition.fold.position))
        raise UnknownStream(stream)

    # The parts.

    def _newest(self, partition: int, snapshots: Snapshots, roots: Sequence[Root]) -> Fold | None:
        """The state of the newest snapshot that is whole and of this log; None where there is none."""
        for root in roots:
            if fault := foreign(self._log, partition, root):
                # A broker that went down with its machine may come back without what it had not written to disk.
                logger.warning("examples:%d: the snapshot at %d is not used: %s", partition, root.offset, fault)
                snapshots.disown(root)
                continue
            envelope = self._envelope(Place(partition, root.offset, root.generation))
            try:
                return Fold.from_root(root, snapshots.read, envelope, self._table, self._cache())
            except UnknownModel as error:
                raise ConfigError(
                    f"examples:{partition}: this Prequel cannot make a model of the snapshot: {error}"
                ) from error
            except ValueError as error:
                logger.warning("examples:%d: the snapshot at %d is not used: %s", partition, root.offset, error)
        return None

    def _first(self, partition: int, snapshots: Snapshots, roots: Sequence[Root]) -> Fold:
        """The empty state where no snapshot can be used. Raises ConfigError where that would lose what was learned."""
        begin = self._log.bounds(EXAMPLES)[partition].begin
        check_reach(partition, begin, roots, outdated=snapshots.outdated)
        return first_fold(self._log, partition, self._mine(partition), self._table, self._cache(), write=True)

    def _settle(self, number: int) -> None:
        """Have the fold use our settings from here on, unless a learner that started later has said others.

        Asked whenever the fold's settings have changed. So two learners with different settings write one record each,
        and not by turns for ever. Blocks; raises LogUnavailable.
        """
        partition = self._partitions[number]
        now = partition.fold.history.now
        if now == partition.settled:
            return
        # Other models, another window: every stream's status says so, though no event of the stream came.
        everything = {(number, name) for name in partition.fold.streams}
        self._changed |= everything
        self._undetailed |= everything
        if now.limits != self._limits and overrules(self._started, now.started, self._clock()):
            self._log.append([self._mine(number)])
            logger.info("examples:%d: the settings change from here on; what was learned stays", number)
        elif now.limits != self._limits:
            logger.warning(
                "examples:%d is folded with the settings of a learner that started after this one, not with this one's:"
                " %s. Start this one again if its own are right",
                number,
                as_settings(now.limits),
            )
        partition.settled = now

    def _mine(self, partition: int) -> Message:
        return encode_defaults(
            as_settings(self._limits),
            partition,
            started=self._started,
            by=self._owner,
            time=self._clock(),
            event_id=f"defaults:{partition}:{self._owner}",
            source=SOURCE,
        )

    def _check_partitions(self, before: int) -> None:
        """Blocks. Raises ConfigError where the topic has not as many as before, LogUnavailable."""
        check_partitions(before, self._log.partitions(EXAMPLES))

    def _messages(self, partition: int, folded: Folded) -> list[Message]:
        self._metrics.duplicates.labels(self.name).inc(folded.repeated)
        for reason, count in folded.conflicts.items():
            self._metrics.conflicts.labels(self.name, reason).inc(count)
        self._metrics.moved.labels(self.topic).inc(len(folded.moved))
        messages = [moved(record) for record in folded.moved]
        fold = self._partitions[partition].fold
        deleted = {deletion.position for deletion in folded.deletions}
        early = {
            (event.stream, event.id)
            for at, event in folded.emitted
            if isinstance(event, Outcome) and event.position != at
        }
        for _, event in folded.emitted:
            if event.stream in fold.streams:
                self._undetailed.add((partition, event.stream))
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
                if event.position in deleted:
                    self._ended.add((partition, event.stream))
                    self._recalls.pop(event.stream, None)
                    end(event.stream, self._metrics)
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
        partition.erasures.commit()
        written = partition.snapshots.write(
            fold.position,
            partition.partitions,
            fold.history.rows(),
            fold.parts(envelope.seal),
            fold.last,
            refused=list(fold.refused),
            saved=fold.saved,
        )
        fold.saved = written.saved
        self._publish_floor(number, partition)
        now = self._clock()
        found = SnapshotStatus(
            position=str(Position(number, fold.position)), at=now, bytes=written.total, seconds=now - began
        )
        self._show(number, found)
        partition.erasures.committed()
        self._metrics.snapshot_seconds.observe(now - began)
        self._metrics.snapshot_bytes.set(written.written)

    def _publish_floor(self, number: int, partition: _Partition) -> None:
        """Let retention go on, after the commit that makes it true; raises StoreUnavailable."""
        partition.reach.add(floor(partition.fold.position, partition.fold.streams))
        if found := partition.reach.floor():
            floors.publish(self._store, number, found)

    def _show(self, number: int, snapshot: SnapshotStatus) -> None:
        self._partitions[number].snapshot = snapshot
        # Of the moment when it is asked: a learner that is stuck must not look as if it had just written one.
        self._metrics.snapshot_age.labels(str(number)).set_function(lambda: self._clock() - snapshot.at)

    def _published_snapshot(self, number: int, fold: Fold) -> SnapshotStatus | None:
        """What was published of the snapshot that the fold begins with; None where it was another, or unreadable."""
        try:
            told = PartitionStatus.model_validate_json(self._store.get(status.partition_key(number)) or b"")
        except (ValidationError, StoreUnavailable):
            return None  # only the snapshot's age is not known then
        begun = told.snapshot is not None and told.snapshot.position == str(Position(number, fold.position))
        return told.snapshot if begun else None

    def _until_published(self, pace: float) -> float:
        return self._published + pace - self._clock()

    def _publish(self) -> None:
        """What fails here costs no state: it is said on /readyz and tried again. Only a snapshot needs the store."""
        began = self._clock()
        self._statuses_kept.run(self._publish_changed, StoreUnavailable)
        self._published = self._clock()
        self._pace = (self._published - began) / STATUS_SHARE

    def _publish_changed(self) -> None:
        now = self._clock()
        fresh: dict[str, bytes] = {}
        self._end()
        for number, name in sorted(self._changed):
            partition = self._partitions[number]
            state = partition.fold.streams[name]
            found = describe(
                state,
                Position(number, partition.fold.position),
                now=now,
                snapshot=partition.snapshot,
                address=self._address,
            )
            fresh[name] = found.model_dump_json().encode()
            self._recalls[name] = measure(found, self._metrics, self._recalls.get(name, frozenset()))
            delays = self._metrics.label_delay.labels(name)
            for delay in state.delays:
                delays.observe(delay)
            state.delays.clear()
            self._metrics.position.labels(str(number)).set(partition.fold.position)
        if fresh:
            self._store.put_all({status.key(name): value for name, value in fresh.items()})
        self._statuses |= fresh
        for number, partition in self._partitions.items():
            if partition.told is None or partition.told.streams != len(partition.fold.streams):
                self._tell(number)
        self._changed.clear()

    def _publish_rest(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._publish_details(number)
            self._tell(number)

    def _tell(self, number: int) -> None:
        """Publish what there is to know of a partition, where that has changed."""
        partition = self._partitions[number]
        fold = partition.fold
        dim = next((state.dim for state in reversed(fold.streams.values()) if state.dim), 0)
        deleted = max((each.position for each in fold.commands.deletions.values()), default=None)
        told = PartitionStatus(
            partition=number,
            partitions=partition.partitions,
            streams=len(fold.streams),
            full=fold.full(dim),
            deleted=str(deleted) if deleted else None,
            snapshot=partition.snapshot,
        )
        if told != partition.told:
            self._store.put(status.partition_key(number), told.model_dump_json().encode())
            partition.told = told

    def _publish_details(self, number: int) -> None:
        """With the snapshot, for when no learner answers: whoever asks one gets newer ones."""
        partition = self._partitions[number]
        position = Position(number, partition.fold.position)
        names = sorted(name for mine, name in self._undetailed if mine == number and name in partition.fold.streams)
        found = {
            status.detail_key(name): detail(partition.fold.streams[name], position).model_dump_json().encode()
            for name in names
        }
        if found:
            self._store.put_all(found)
        self._undetailed -= {(number, name) for name in names}

    def _end(self) -> None:
        """Take out what is shown of streams that were deleted; their partitions may have room again.

        One that has begun again is published anew.
        """
        if not self._ended:
            return
        again = {each for each in self._ended if each[1] in self._partitions[each[0]].fold.streams}
        keys = [status.detail_key(name) for _, name in self._ended]
        self._store.delete([*keys, *(status.key(name) for _, name in self._ended - again)])
        for number, name in self._ended:
            self._partitions[number].told = None
            self._statuses.pop(name, None)
        self._changed = self._changed - self._ended | again
        self._undetailed = self._undetailed - self._ended | again
        self._ended.clear()

    def _look(self) -> None:
        """Raises Fenced where the store was emptied: what it should have is then made again, without an event first.

        A store that cannot be asked now has lost nothing yet.
        """
        lost: list[int] = []
        self._statuses_kept.run(lambda: lost.extend(self._compare()), StoreUnavailable)
        self._looked = self._clock()
        if lost:
            raise Fenced(f"examples:{lost[0]}: the store has lost the snapshots; the state is folded anew")

    def _compare(self) -> Iterator[int]:
        """Partitions whose snapshots the store has lost; statuses that are not as we published them change again.

        Statuses are not fenced: one that a learner wrote when it woke up too late is replaced by ours.
        """
        for number, partition in self._partitions.items():
            if partition.snapshots.lost():
                yield number
            names = list(partition.fold.streams)
            there = self._store.get_all([status.key(name) for name in names])
            for name in names:
                if there.get(status.key(name)) != self._statuses.get(name):
                    self._changed.add((number, name))
            ended = list((partition.fold.commands.deletions.keys() | partition.shown) - partition.fold.streams.keys())
            shown = self._store.get_all([status.key(name) for name in ended])
            self._ended |= {(number, name) for name in ended if shown.get(status.key(name)) is not None}

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
