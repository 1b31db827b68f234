"""A stream as it is now, folded from its newest snapshot to the log's end: without its learner, and without writing."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.partition_parts import PARTITION_KEY
from prequel.services.learner.fold.restored_partition import restore_fold
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.initial_fold import initial_fold
from prequel.services.learner.replay.jobs.base import JobContext
from prequel.services.learner.replay.plan import ReplayPlan, plan_of
from prequel.services.learner.snapshots.envelope import Envelope, SnapshotId
from prequel.services.learner.snapshots.root import Root, read_roots, root_key
from prequel.services.learner.snapshots.snapshots import Snapshots
from prequel.services.learner.snapshots.usability import check_replayable, log_mismatch
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.defaults import encode_defaults
from prequel.shared.events.types import Command, Rejected
from prequel.shared.exports import ExportFailed, ExportHead
from prequel.shared.log.base import EXAMPLES, Log, Position, Record
from prequel.shared.log.partitioner import partition_for
from prequel.shared.store.base import Fence

CACHE_EXAMPLES, CACHE_BYTES = 5_000, 64 * 2**20
"""Features that an export keeps in memory, for labels that come late; others are read again. With ten times as many,
two exports would take a gigabyte from a gateway's machine."""
TRIES = 3
"""A learner that writes snapshots sweeps the oldest of three while they are read here. The second try begins with the
newest, and fails only where a state takes longer to read than three snapshots are apart."""


class CurrentStream(NamedTuple):
    """The stream's state before ``end``, and how its past is read: of the log from ``begin`` on."""

    state: StreamState
    plan: ReplayPlan
    log: Log
    cache: FeatureCache
    begin: int
    end: int

    @property
    def head(self) -> ExportHead:
        return ExportHead(
            position=str(Position(self.plan.partition, self.end)),
            examples=self.state.images,
            labelled=self.state.labelled,
            begin=self.begin,
            begun=self.state.begun,
        )


def read_stream(context: JobContext, stream: str) -> CurrentStream:
    """Blocks for as long as a learner's start takes, but for one stream. Raises ExportFailed, LogUnavailable,
    StoreUnavailable, ConfigError."""
    partition = partition_for(stream.encode(), context.log.partitions(EXAMPLES))
    begin, end = context.log.bounds(EXAMPLES)[partition]
    cache = FeatureCache(context.log, CACHE_EXAMPLES, CACHE_BYTES)
    fold = _newest_fold(context, partition, stream, cache)
    for records in cache.read_range(partition, fold.position, end):
        fold.apply([record for record in records if _concerns(record, stream)])
    state = fold.streams.get(stream)
    if state is None:
        raise ExportFailed(f"there is no stream {stream}: it was deleted, or its first image is not processed yet", 404)
    return CurrentStream(state, plan_of(fold, state, partition), context.log, cache, begin, end)


def check_not_deleted(current: CurrentStream) -> None:
    """Raises ExportFailed where the stream was deleted since: some of its records may be erased already, and not have
    been read. Blocks; raises LogUnavailable."""
    plan = current.plan
    key, end = plan.stream.encode(), current.log.bounds(EXAMPLES)[plan.partition].end
    for records in current.cache.read_range(plan.partition, current.end, end):
        if any(record.key == key and _deletes(record) for record in records):
            raise ExportFailed(f"stream {plan.stream} was deleted while it was exported", 404)


def _deletes(record: Record) -> bool:
    try:
        event = decode_example(record)
    except Rejected:
        return False
    return isinstance(event, Command) and event.do == "stream.delete"


def _concerns(record: Record, stream: str) -> bool:
    """Whether a record is the stream's, or no stream's: settings."""
    return record.key in (stream.encode(), None, b"")


def _newest_fold(context: JobContext, partition: int, stream: str, cache: FeatureCache) -> Fold:
    """Of the newest snapshot that can be used, and without one the empty state at the log's beginning."""
    for _ in range(TRIES):
        roots = read_roots(context.store.get(root_key(partition)))
        usable = [root for root in roots if not log_mismatch(context.log, partition, root)]
        for fold in _restored(context, partition, stream, cache, usable):
            return fold
        if not usable:
            break
    check_replayable(partition, context.log.bounds(EXAMPLES)[partition].begin, roots, outdated=False)
    return _empty_fold(context, partition, cache)


def _restored(
    context: JobContext, partition: int, stream: str, cache: FeatureCache, roots: Sequence[Root]
) -> Iterator[Fold]:
    """The states of those snapshots that are whole, without other streams."""
    snapshots = Snapshots(context.store, partition, Fence(0, 0, ""), max_bytes=0)
    key = context.settings.snapshot_key.get_secret_value().encode()
    for root in roots:
        own = {name: address for name, address in root.streams.items() if name in (stream, PARTITION_KEY)}
        envelope = Envelope(key, SnapshotId(partition, root.offset, root.generation))
        try:
            yield restore_fold(
                root._replace(streams=own), snapshots.read, envelope, registry=context.registry, cache=cache
            )
        except ValueError:
            continue  # Swept meanwhile, or damaged.


def _empty_fold(context: JobContext, partition: int, cache: FeatureCache) -> Fold:
    own = encode_defaults(
        fold_config(context.settings).as_settings(),
        partition,
        started=0.0,
        by="export",
        time=0.0,
        event_id=f"defaults:{partition}",
        source="prequel/export",
    )
    return initial_fold(context.log, partition, own, registry=context.registry, cache=cache, write=False)
