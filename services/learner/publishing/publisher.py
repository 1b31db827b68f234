"""Publishes the statuses of streams and partitions to the store, as often as a share of the time allows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prequel.services.learner.context import LearnerContext
from prequel.services.learner.fold.batch import FoldResult
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.services.learner.publishing.gauges import (
    RecallSeries,
    remove_partition_gauges,
    remove_stream_gauges,
    set_stream_gauges,
)
from prequel.services.learner.publishing.pending import PendingStreams
from prequel.services.learner.publishing.stream_status import stream_detail, stream_status
from prequel.shared import status
from prequel.shared.runtime.deadlines import STATUS_BACKOFF
from prequel.shared.runtime.retry import Attempts
from prequel.shared.status import CatchUpStatus, PartitionStatus, SnapshotStatus
from prequel.shared.store.base import StoreUnavailable

STATUS_SECONDS = 0.25
"""From one publication to the next while records come. Twice as long and the page lags behind what is sent; half as
long doubles the writes for changes that no eye can follow."""
STATUS_SHARE = 0.1
"""The part of the time, at most, that goes into statuses: with many busy streams they come less often. Half as much
would make a few hundred busy streams' statuses seconds old, twice as much would slow the fold down."""
MIN_POLL_SECONDS = 0.005
"""The shortest poll while a status is to be published: whoever waits for the status waits for the poll. With 0, polls
would return before they have read anything."""


class StatusPublisher:
    """For the learner's thread only. ``partitions`` are those that it owns, ``address`` where it answers queries.

    Nothing here is part of the state: where the store refuses, that is reported on /readyz and tried again.
    """

    def __init__(
        self,
        context: LearnerContext,
        partitions: Mapping[int, OwnedPartition],
        *,
        address: str | None,
        catching_up: Callable[[StreamState], CatchUpStatus | None],
    ) -> None:
        self._context, self._partitions, self._address = context, partitions, address
        self._catching_up = catching_up
        self._pending = PendingStreams()
        self._statuses: dict[str, bytes] = {}
        """What was published of each stream last."""
        self._recalls: dict[str, RecallSeries] = {}
        self._published_at = context.clock()
        self._interval = 0.0
        """Seconds from one publication to the next, so that they take no more than their share of the time."""
        self._attempts = Attempts("learner: statuses", context.health, STATUS_BACKOFF, clock=context.clock)

    # What is to be published.

    def add_partition(self, partition: OwnedPartition) -> None:
        """A partition was restored: all its streams are published again, and the deleted ones removed."""
        self._pending.add_restored(partition)

    def remove_partition(self, number: int, streams: Sequence[str]) -> None:
        """A partition was revoked: what is published stays, for whoever owns it next to replace."""
        self._pending.remove_partition(number)
        for name in streams:
            self._recalls.pop(name, None)
            self._statuses.pop(name, None)
        remove_stream_gauges(streams, self._context.metrics)

    def remove_partition_gauges(self, number: int) -> None:
        """Another learner owns the partition, and reports its gauges."""
        remove_partition_gauges(number, self._context.metrics)

    def add_all(self, partition: OwnedPartition) -> None:
        """Other models, another window: every stream's status says so, though no event of the stream came."""
        self._pending.add_all(partition)

    def add_streams(self, streams: Iterable[tuple[int, str]]) -> None:
        """Publish these, by partition and name: a replay beside them has got on."""
        self._pending.changed.update(streams)

    def add_result(self, partition: OwnedPartition, result: FoldResult) -> None:
        """Publish the streams that a batch has changed, and remove those that it has deleted."""
        for name in self._pending.add_result(partition, result):
            self._recalls.pop(name, None)

    def add_snapshot(self, partition: OwnedPartition, snapshot: SnapshotStatus) -> None:
        """Publish the newest snapshot with every status from here on."""
        partition.snapshot = snapshot
        # Computed when Prometheus asks: a learner that is stuck must not look as if it had just written one.
        age = self._context.metrics.snapshot_age.labels(str(partition.number))
        age.set_function(lambda: self._context.clock() - snapshot.at)

    # When.

    def poll_timeout(self, idle: float) -> float:
        """Seconds that a poll may wait for records before a status is due."""
        if not self._pending or not self._attempts.due:
            return idle
        return min(max(self._until_due(self._interval), MIN_POLL_SECONDS), idle)

    def publish_if_due(self, *, busy: bool) -> None:
        """Publish what has changed; ``busy`` is whether records come."""
        interval = max(self._interval, STATUS_SECONDS) if busy else self._interval
        if self._pending and self._until_due(interval) <= 0:
            self.publish()

    def _until_due(self, interval: float) -> float:
        return self._published_at + interval - self._context.clock()

    def publish(self) -> None:
        """Publish what has changed now. Blocks; raises nothing where the store refuses: it is tried again."""
        began = self._context.clock()
        self._attempts.run(self._publish_changed, StoreUnavailable)
        self._published_at = self._context.clock()
        self._interval = (self._published_at - began) / STATUS_SHARE

    def publish_details(self, numbers: Sequence[int]) -> None:
        """Publish the details and the partitions' statuses, after a snapshot. Blocks as ``publish`` does."""
        self._attempts.run(lambda: self._publish_partitions(numbers), StoreUnavailable)

    def check_store(self) -> list[int]:
        """Compare the store with what was published; the partitions whose snapshots it has lost.

        Blocks. A store that cannot be asked now has lost nothing yet.
        """
        lost: list[int] = []
        self._attempts.run(lambda: lost.extend(self._lost_partitions()), StoreUnavailable)
        return lost

    # How.

    def _publish_changed(self) -> None:
        now = self._context.clock()
        statuses: dict[str, bytes] = {}
        self._remove_deleted()
        for number, name in sorted(self._pending.changed):
            statuses[name] = self._stream_status(self._partitions[number], name, now=now)
        if statuses:
            self._context.store.put_all({status.key(name): body for name, body in statuses.items()})
        self._statuses |= statuses
        for partition in self._partitions.values():
            if partition.published is None or partition.published.streams != len(partition.fold.streams):
                self._publish_partition(partition)
        self._pending.changed.clear()

    def _stream_status(self, partition: OwnedPartition, name: str, *, now: float) -> bytes:
        """Set a stream's gauges, and return its status as JSON."""
        state, metrics = partition.fold.streams[name], self._context.metrics
        stream = stream_status(
            state,
            partition.position,
            now=now,
            snapshot=partition.snapshot,
            address=self._address,
            catching_up=self._catching_up(state),
        )
        self._recalls[name] = set_stream_gauges(stream, metrics, self._recalls.get(name, frozenset()))
        delays = metrics.label_delay.labels(name)
        for delay in state.delays:
            delays.observe(delay)
        state.delays.clear()
        metrics.position.labels(str(partition.number)).set(partition.fold.position)
        return stream.model_dump_json().encode()

    def _publish_partitions(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._publish_stream_details(self._partitions[number])
            self._publish_partition(self._partitions[number])

    def _publish_partition(self, partition: OwnedPartition) -> None:
        """Publish what there is to know of a partition, where that has changed."""
        fold = partition.fold
        dim = next((state.dim for state in reversed(fold.streams.values()) if state.dim), 0)
        deleted = max((deletion.position for deletion in fold.commands.deletions.values()), default=None)
        current = PartitionStatus(
            partition=partition.number,
            partitions=partition.partitions,
            streams=len(fold.streams),
            full=fold.full(dim),
            deleted=str(deleted) if deleted else None,
            snapshot=partition.snapshot,
        )
        if current != partition.published:
            body = current.model_dump_json().encode()
            self._context.store.put(status.partition_key(partition.number), body)
            partition.published = current

    def _publish_stream_details(self, partition: OwnedPartition) -> None:
        """Publish details with each snapshot, for when no learner answers: a learner that is asked gives newer ones."""
        streams, number = partition.fold.streams, partition.number
        names = sorted(name for of, name in self._pending.stale_details if of == number and name in streams)
        details = {
            status.detail_key(name): stream_detail(streams[name], partition.position).model_dump_json().encode()
            for name in names
        }
        if details:
            self._context.store.put_all(details)
        self._pending.stale_details -= {(number, name) for name in names}

    def _remove_deleted(self) -> None:
        """Remove what is shown of streams that were deleted; their partitions may have room again.

        One that has begun again is published again.
        """
        if not self._pending.deleted:
            return
        begun_again = {key for key in self._pending.deleted if key[1] in self._partitions[key[0]].fold.streams}
        details = [status.detail_key(name) for _, name in self._pending.deleted]
        self._context.store.delete([*details, *(status.key(name) for _, name in self._pending.deleted - begun_again)])
        for number, name in self._pending.deleted:
            self._partitions[number].published = None
            self._statuses.pop(name, None)
        self._pending.restart(begun_again)

    def _lost_partitions(self) -> Iterator[int]:
        """Partitions whose snapshots the store has lost; statuses that are not as published are published again.

        Statuses are not fenced: one that a learner wrote when it woke up too late is replaced by this one's.
        """
        for number, partition in self._partitions.items():
            if partition.snapshots.lost():
                yield number
            fold = partition.fold
            names = list(fold.streams)
            bodies = self._context.store.get_all([status.key(name) for name in names])
            self._pending.changed |= {
                (number, name) for name in names if bodies.get(status.key(name)) != self._statuses.get(name)
            }
            deleted = list((fold.commands.deletions.keys() | partition.shown) - fold.streams.keys())
            bodies = self._context.store.get_all([status.key(name) for name in deleted])
            self._pending.deleted |= {(number, name) for name in deleted if bodies.get(status.key(name)) is not None}
