"""The streams whose status, detail or deletion is to be published."""

from prequel.services.learner.fold.batch import FoldResult
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.shared.events.types import Applied

StreamKey = tuple[int, str]
"""Partition and name."""


class PendingStreams:
    """Three sets of streams. Nothing here is part of the state: after a restart, every stream is published again."""

    def __init__(self) -> None:
        self.changed: set[StreamKey] = set()
        """Streams whose status in the store is older than their state."""
        self.stale_details: set[StreamKey] = set()
        """Streams whose detail in the store is older than their state."""
        self.deleted: set[StreamKey] = set()
        """Streams that were deleted since the last publication; they may have begun again."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.deleted)

    def add_restored(self, partition: OwnedPartition) -> None:
        """All streams of a partition, and its deleted ones."""
        number, fold = partition.number, partition.fold
        self.changed |= {(number, name) for name in fold.streams}
        deleted = {(number, name) for name in fold.commands.deletions}
        self.deleted |= deleted - self.changed
        self.stale_details |= deleted & self.changed

    def add_all(self, partition: OwnedPartition) -> None:
        """All streams of a partition, with their details."""
        streams = {(partition.number, name) for name in partition.fold.streams}
        self.changed |= streams
        self.stale_details |= streams

    def add_result(self, partition: OwnedPartition, result: FoldResult) -> list[str]:
        """The streams that a batch has changed, and those that it has deleted, which are returned."""
        positions = {deletion.position for deletion in result.deletions}
        self.changed |= {(partition.number, name) for name in result.noted if name in partition.fold.streams}
        deleted = []
        for _, event in result.outputs:
            key = partition.number, event.stream
            if event.stream in partition.fold.streams:
                self.stale_details.add(key)
                self.changed.add(key)
            if isinstance(event, Applied) and event.position in positions:
                self.deleted.add(key)
                deleted.append(event.stream)
        return deleted

    def remove_partition(self, number: int) -> None:
        """Forget the streams of a partition that was revoked."""
        for keys in (self.changed, self.stale_details, self.deleted):
            keys -= {key for key in keys if key[0] == number}

    def restart(self, begun_again: set[StreamKey]) -> None:
        """The deleted streams were removed from the store: those of them that have begun again are new there."""
        self.changed = self.changed - self.deleted | begun_again
        self.stale_details = self.stale_details - self.deleted | begun_again
        self.deleted.clear()
