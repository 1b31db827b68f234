"""Compares a rebuilt state with the snapshot that the store has of it."""

from typing import NamedTuple

from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.restored_partition import restore_fold
from prequel.services.learner.replay.comparison import EQUAL_WITHIN_TOLERANCE, compare
from prequel.services.learner.snapshots.envelope import Envelope, SnapshotId
from prequel.services.learner.snapshots.fingerprint import build, differences
from prequel.services.learner.snapshots.root import Root
from prequel.services.learner.snapshots.snapshots import Snapshots
from prequel.shared.store.base import Fence, Store


class Verdict(NamedTuple):
    """The result for one partition. ``compared`` is the newest snapshot's digest, None where there is none."""

    partition: int
    offset: int
    streams: int
    examples: int
    digest: str
    compared: str | None
    equal: bool
    remark: str


def verdict(partition: int, fold: Fold, root: Root | None, *, equal: bool, remark: str) -> Verdict:
    """The verdict on a partition rebuilt as ``fold``, compared with the snapshot of ``root`` where there is one."""
    return Verdict(
        partition=partition,
        offset=fold.position,
        streams=len(fold.streams),
        examples=sum(stream.images for stream in fold.streams.values()),
        digest=fold.digest(),
        compared=root.digest if root else None,
        equal=equal,
        remark=remark,
    )


class SnapshotVerifier:
    """``key`` is the one that pickled models are signed with. Every call blocks; raises StoreUnavailable."""

    def __init__(self, store: Store, registry: ModelRegistry, key: bytes) -> None:
        self._store, self._registry, self._key = store, registry, key

    def compare(self, partition: int, fold: Fold, root: Root, *, begin: int) -> tuple[bool, str]:
        """Whether the fold and the snapshot are equal, with a remark; ``begin`` is where the log begins."""
        if begin > root.defaults[0][0]:
            return False, f"retention removed the first {begin} events"
        if fold.digest() == root.digest:
            return self._check_readable(partition, fold, root)
        if root.built_on == build():
            return False, "the snapshot is not what the log says"
        return self._compare_machines(partition, fold, root)

    def _check_readable(self, partition: int, fold: Fold, root: Root) -> tuple[bool, str]:
        """Whether what the root names is there, and is the state that its digest says."""
        try:
            equal = self._restored(partition, fold, root).digest() == root.digest
        except ValueError as error:
            return False, f"the root is right, but a learner could not read the snapshot: {error}"
        return (True, "bit-equal") if equal else (False, "the root is right, but its parts are another state")

    def _compare_machines(self, partition: int, fold: Fold, root: Root) -> tuple[bool, str]:
        """Compare with a snapshot of another kind of machine, where the last bits may differ."""
        made = f"made on another kind of machine ({differences(root.built_on)})"
        try:
            difference = compare(fold, self._restored(partition, fold, root))
        except ValueError as error:
            return False, f"{made}, and a learner could not read the snapshot here: {error}"
        if difference:
            return False, f"{made}, but more than rounding differs: {difference}"
        return True, f"{EQUAL_WITHIN_TOLERANCE}; {made}"

    def _restored(self, partition: int, fold: Fold, root: Root) -> Fold:
        """The state that a learner would begin with. Raises ValueError where it cannot be read."""
        snapshots = Snapshots(self._store, partition, Fence(0, 0, ""), max_bytes=0)
        envelope = Envelope(self._key, SnapshotId(partition, root.offset, root.generation))
        return restore_fold(root, snapshots.read, envelope, registry=self._registry, cache=fold.cache)
