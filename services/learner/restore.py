"""Takes over a partition: with its newest snapshot that can be used, or from the beginning of the log."""

import logging
from collections.abc import Sequence

from pydantic import ValidationError

from prequel.services.learner.context import LearnerContext
from prequel.services.learner.erasure.eraser import RecordEraser
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.restored_partition import restore_fold
from prequel.services.learner.initial_fold import initial_fold
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.services.learner.snapshots.envelope import SnapshotId
from prequel.services.learner.snapshots.root import Root
from prequel.services.learner.snapshots.snapshots import Snapshots
from prequel.services.learner.snapshots.usability import check_partition_count, check_replayable, log_mismatch
from prequel.shared import status
from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import EXAMPLES
from prequel.shared.log.partitioner import partition_for
from prequel.shared.retention import floors
from prequel.shared.status import PartitionStatus, SnapshotStatus
from prequel.shared.store.base import Fence, Fenced, StoreUnavailable

logger = logging.getLogger(__name__)


def restore_partition(context: LearnerContext, partition: int, generation: int) -> OwnedPartition:
    """Take the partition over. Blocks; raises Fenced, StoreUnavailable, LogUnavailable, ConfigError.

    1. Acquire the root, which fences off whoever owned the partition before: what is read afterwards cannot change.
    2. Check that streams are still in the partitions that the snapshots are of.
    3. Take the newest snapshot that is whole and of this log, else the empty state at the log's beginning.
    4. In the latter case, tell retention to keep the log from there, before anything is replayed from it.
    """
    fence = Fence(context.settings.incarnation, generation, context.owner)
    snapshots = Snapshots(context.store, partition, fence, max_bytes=context.settings.snapshot_max_bytes)
    try:
        roots = snapshots.acquire()
    except Fenced as error:
        raise Fenced(f"examples:{partition}: {error}. {_advice(context.settings)}") from error
    count = context.log.partitions(EXAMPLES)
    partitions = roots[0].partitions if roots else count
    check_partition_count(partitions, count)
    fold = _newest_fold(context, partition, snapshots, roots)
    if fold is None:
        fold = _empty_fold(context, partition, snapshots, roots)
        # The floor of snapshots that are not used any more would let retention remove what is about to be read.
        floors.publish(context.store, partition, floors.Floor(fold.position, "", 0.0))
    eraser = RecordEraser(
        context.log, context.store, partition, context.clock, snapshots=snapshots, health=context.health
    )
    eraser.resume(fold.commands.deletions, fold.streams)
    names = status.streams(context.store.keys(status.PREFIX))
    return OwnedPartition(
        number=partition,
        generation=generation,
        partitions=partitions,
        fold=fold,
        snapshots=snapshots,
        eraser=eraser,
        shown=frozenset(name for name in names if partition_for(name.encode(), partitions) == partition),
    )


def published_snapshot(context: LearnerContext, partition: OwnedPartition) -> SnapshotStatus | None:
    """What was published of the snapshot that the fold began with; None where it was another, or cannot be read."""
    try:
        body = context.store.get(status.partition_key(partition.number)) or b""
        snapshot = PartitionStatus.model_validate_json(body).snapshot
    except (ValidationError, StoreUnavailable):
        return None  # Then only the snapshot's age is not known.
    return snapshot if snapshot is not None and snapshot.position == str(partition.position) else None


def _newest_fold(context: LearnerContext, partition: int, snapshots: Snapshots, roots: Sequence[Root]) -> Fold | None:
    """The state of the newest snapshot that is whole and of this log; None where there is none."""
    for root in roots:
        if mismatch := log_mismatch(context.log, partition, root):
            # A broker that went down with its machine may come back without what it had not written to disk.
            logger.warning("examples:%d: the snapshot at %d is not used: %s", partition, root.offset, mismatch)
            snapshots.discard(root)
            continue
        envelope = context.envelope(SnapshotId(partition, root.offset, root.generation))
        try:
            return restore_fold(root, snapshots.read, envelope, registry=context.registry, cache=context.new_cache())
        except UnknownModel as error:
            raise ConfigError(
                f"examples:{partition}: this Prequel cannot make a model of the snapshot: {error}"
            ) from error
        except ValueError as error:
            logger.warning("examples:%d: the snapshot at %d is not used: %s", partition, root.offset, error)
    return None


def _empty_fold(context: LearnerContext, partition: int, snapshots: Snapshots, roots: Sequence[Root]) -> Fold:
    """The empty state where no snapshot can be used. Raises ConfigError where that would lose what was learned."""
    begin = context.log.bounds(EXAMPLES)[partition].begin
    check_replayable(partition, begin, roots, outdated=snapshots.outdated)
    record = context.config_record(partition)
    return initial_fold(
        context.log, partition, record, registry=context.registry, cache=context.new_cache(), write=True
    )


def _advice(settings: Settings) -> str:
    return (
        "Another learner may just have taken it over; if instead the consumer group was deleted or has expired, its "
        f"generations began again at 1: set PREQUEL_INCARNATION={settings.incarnation + 1} for all learners"
    )
