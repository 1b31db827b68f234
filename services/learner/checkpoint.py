"""A checkpoint, step by step: what becomes durable in which order, why, and what happens when the store is down."""

from prequel.services.learner.context import LearnerContext
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.services.learner.snapshots.envelope import SnapshotId
from prequel.services.learner.snapshots.retention_floor import floor_of
from prequel.services.learner.snapshots.usability import check_partition_count
from prequel.shared.log.base import EXAMPLES
from prequel.shared.retention import floors
from prequel.shared.status import SnapshotStatus


def write_checkpoint(context: LearnerContext, partition: OwnedPartition) -> SnapshotStatus:
    """Make the partition's state the newest snapshot. Blocks; raises StoreUnavailable, Fenced, LogUnavailable.

    A checkpoint is steps 0 to 6, as in docs/architecture.md. Session (shared/runtime/session.py) does the first, its
    "flush", and the last, its "commit"; these here are its "save", for one partition after the other. Each step relies
    on those before it, so that a crash between any two of them loses nothing and learns nothing twice.

    If the store is down at any of steps 2 to 4, the ones that use it, StoreUnavailable goes up to Runner.run
    (shared/runtime/runner.py). It treats that as a crash: it drops the state in memory, leaves the group, says so on
    /readyz ("learner"), waits with a growing backoff, joins again once the store takes a write, restores the newest
    committed snapshot, and replays the log from its offset. Predictions that the replay publishes again are equal to
    the first ones, and have the same ids.
    """
    fold, began = partition.fold, context.clock()

    # 0. (Session.) The outputs are durable in the log. If that came later, a crash after step 3 would lose predictions:
    #    nobody replays what comes before a snapshot.

    # 1. The topic has as many partitions as before. With more, streams have been relocated by their keys' hashes, and
    #    this snapshot would make that look intended. A ConfigError stops the learner for an operator.
    check_partition_count(partition.partitions, context.log.partitions(EXAMPLES))

    # 2. The store's note of how far erasing has come is set back where late features have come for a stream that was
    #    erased already. If that came after step 3, a crash between the two would leave their records for ever.
    #    Store down: nothing has changed; the replay comes here again.
    partition.eraser.prepare_checkpoint()

    # 3. The parts that the store does not have yet, then the root that names them: the swap of the root is the commit,
    #    and the store refuses it where another learner has acquired the partition since (Fenced).
    #    Store down before the swap: the previous snapshot counts, and the parts written so far are swept later, or used
    #    by the next one. Store down during the swap: the restore reads which of the two roots counts; either is whole.
    written = partition.snapshots.write(
        fold.snapshot_content(context.envelope(SnapshotId(partition.number, fold.position, partition.generation)).seal),
        partitions=partition.partitions,
        stored=fold.stored,
    )
    fold.stored = written.stored

    # 4. Retention may remove what no snapshot needs any more. Before step 3, it could remove what a restore from the
    #    previous snapshot still reads. Store down: the floor stays where it was, and the log keeps more than needed.
    partition.retention.add(floor_of(fold.position, fold.streams))
    if floor := partition.retention.floor():
        floors.publish(context.store, partition.number, floor)

    # 5. The records of deleted streams, and of forgotten images that the state was replayed without, may be erased from
    #    here on: the snapshot no longer needs them for a replay.
    partition.eraser.checkpointed(fold.streams)

    # 6. (Learner, then Session.) Statuses are published, the group's offset is committed. Both are only shown: a
    #    restore reads the root's offset. A crash before it shows a lag that is too large, until the next checkpoint.
    now = context.clock()
    context.metrics.snapshot_seconds.observe(now - began)
    context.metrics.snapshot_bytes.set(written.written_bytes)
    return SnapshotStatus(position=str(partition.position), at=now, bytes=written.total_bytes, seconds=now - began)
