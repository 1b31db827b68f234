"""A partition that this learner owns: its fold, its snapshots, and their bookkeeping."""

from dataclasses import dataclass, field

from prequel.services.learner.erasure.eraser import RecordEraser
from prequel.services.learner.fold.config_history import ConfigChange
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.snapshots.retention_floor import RetentionFloor
from prequel.services.learner.snapshots.snapshots import Snapshots
from prequel.shared.log.base import Position
from prequel.shared.status import PartitionStatus, SnapshotStatus


@dataclass(kw_only=True)
class OwnedPartition:
    """From its restore to its revocation."""

    number: int
    generation: int
    """The group's generation when the partition was assigned: it fences off whoever owned it before."""
    partitions: int
    """How many the topic had at the restore. The number at a checkpoint must be the same: see check_partition_count."""
    fold: Fold
    snapshots: Snapshots
    eraser: RecordEraser
    shown: frozenset[str]
    """Streams that the store showed when it was restored. The fold may not have some of them: an earlier Prequel began
    a stream with its first label, and a log may have lost its end."""
    snapshot: SnapshotStatus | None = None
    """The newest one."""
    checked_config: ConfigChange | None = None
    """The configuration in the log that this learner has looked at: it is this one's own, or overrules it."""
    published: PartitionStatus | None = None
    retention: RetentionFloor = field(default_factory=RetentionFloor)

    @property
    def position(self) -> Position:
        """The next record to fold."""
        return Position(self.number, self.fold.position)
