"""A partition that this learner owns: its fold, its snapshots, and what is known of both."""

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
    """Of the group, when it was assigned: what fences off whoever owned it before."""
    partitions: int
    """Of the topic, when this one was restored: a larger number later would approve of streams relocated meanwhile."""
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
