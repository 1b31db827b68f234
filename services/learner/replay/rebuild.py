"""Rebuilding: folds the log from its start, in parallel over partitions, and compares with the stored snapshots."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.initial_fold import initial_fold
from prequel.services.learner.replay.verification import SnapshotVerifier, Verdict, verdict
from prequel.services.learner.snapshots.envelope import Envelope, SnapshotId
from prequel.services.learner.snapshots.root import read_roots, root_key
from prequel.services.learner.snapshots.snapshots import Snapshots
from prequel.services.learner.snapshots.usability import check_partition_count
from prequel.shared.config import ConfigError, Settings
from prequel.shared.events.defaults import encode_defaults
from prequel.shared.log.base import EXAMPLES, Log, Message
from prequel.shared.runtime.deadlines import REPLAY_POLL_S
from prequel.shared.store.base import Fence, Fenced, Store

POLL_RECORDS = 1_000
"""Records of one poll. Progress is shown, and Ctrl-C noticed, after each poll: with more records both would be slower,
and nothing would be gained, since folding them takes longer than reading."""

MAX_GENERATIONS = 10_000
"""Generations tried until one fences the last owner off: one for each rebalance since the newest snapshot."""


class RebuildInterrupted(Exception):
    """The rebuild was stopped: partitions that were not finished keep their old snapshots."""


class Rebuild:
    """Folds every partition from the beginning of the log to its newest snapshot, or to its end without one.

    ``advance`` is called after every batch, from several threads: partition and records folded. ``now`` is when it
    began (seconds since the epoch), for the record of the settings where the log has none yet. Every call blocks;
    raises LogUnavailable, StoreUnavailable, and RebuildInterrupted soon after ``stop`` is set.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        log: Log,
        store: Store,
        registry: ModelRegistry,
        advance: Callable[[int, int], None],
        stop: threading.Event,
        now: float = 0.0,
    ) -> None:
        self._now = now
        self._settings, self._log, self._store, self._registry = settings, log, store, registry
        self._advance, self._stop = advance, stop
        self._verifier = SnapshotVerifier(store, registry, self._key)

    def total(self) -> int:
        """Records that will be folded, at most."""
        return sum(bounds.end - bounds.begin for bounds in self._log.bounds(EXAMPLES).values())

    def verify(self, threads: int) -> list[Verdict]:
        """Fold and compare; nothing is written."""
        partitions = sorted(self._log.bounds(EXAMPLES))
        with ThreadPoolExecutor(threads, "rebuild") as pool:
            return list(pool.map(self._verify, partitions))

    def write(self, threads: int, owner: str) -> list[Verdict]:
        """Fold everything to the end of the log and make that the newest snapshot of each partition.

        For stopped learners only: one that runs is fenced off and starts again from the new snapshot.
        """
        partitions = sorted(self._log.bounds(EXAMPLES))
        with ThreadPoolExecutor(threads, "rebuild") as pool:
            return list(pool.map(lambda partition: self._write(partition, owner), partitions))

    def _verify(self, partition: int) -> Verdict:
        root = next(iter(read_roots(self._store.get(root_key(partition)))), None)
        begin, end = self._log.bounds(EXAMPLES)[partition]
        if root is not None and root.offset > end:
            remark = f"the log ends at {end}, before the snapshot ({root.offset})"
            return Verdict(partition, end, 0, 0, "", root.digest, False, remark)
        fold = self._fold(partition, end if root is None else root.offset, write=False)
        if root is None:
            return verdict(partition, fold, None, equal=True, remark="no snapshot to compare with")
        equal, remark = self._verifier.compare(partition, fold, root, begin=begin)
        return verdict(partition, fold, root, equal=equal, remark=remark)

    def _write(self, partition: int, owner: str) -> Verdict:
        partitions = self._log.partitions(EXAMPLES)
        for root in read_roots(self._store.get(root_key(partition))):
            check_partition_count(root.partitions, partitions)
        snapshots, generation = self._acquire(partition, owner)
        fold = self._fold(partition, self._log.bounds(EXAMPLES)[partition].end, write=True)
        envelope = Envelope(self._key, SnapshotId(partition, fold.position, generation))
        snapshots.write(fold.snapshot_content(envelope.seal), partitions=partitions)
        return verdict(partition, fold, None, equal=True, remark="written")

    def _acquire(self, partition: int, owner: str) -> tuple[Snapshots, int]:
        """Take the partition over under its last owner's generation, so that any later learner fences this off.

        That owner may have written nothing, so its generation is searched for, from the newest snapshot's on.
        """
        roots = read_roots(self._store.get(root_key(partition)))
        newest = max((root.generation for root in roots), default=0)
        for generation in range(newest, newest + MAX_GENERATIONS):
            fence = Fence(self._settings.incarnation, generation, owner)
            snapshots = Snapshots(self._store, partition, fence, max_bytes=self._settings.snapshot_max_bytes)
            try:
                snapshots.acquire()
            except Fenced:
                continue
            return snapshots, generation
        raise ConfigError(
            f"examples:{partition} is owned by a later incarnation than PREQUEL_INCARNATION="
            f"{self._settings.incarnation}: use the learners' own"
        )

    def _fold(self, partition: int, end: int, *, write: bool) -> Fold:
        cache = FeatureCache(self._log, self._settings.cache_examples, self._settings.cache_bytes)
        record = self._config_record(partition)
        fold = initial_fold(self._log, partition, record, registry=self._registry, cache=cache, write=write)
        reader = self._log.follow(EXAMPLES, {partition: fold.position})
        try:
            while fold.position < end and reader.positions()[partition] < end:
                records = [record for record in reader.poll(POLL_RECORDS, REPLAY_POLL_S) if record.offset < end]
                fold.apply(records)
                for stream in fold.streams.values():
                    stream.delays.clear()  # For metrics, which nobody reads here: a float per label of the whole log.
                self._advance(partition, len(records))
                if self._stop.is_set():
                    raise RebuildInterrupted
        finally:
            reader.close()
        return fold

    def _config_record(self, partition: int) -> Message:
        return encode_defaults(
            fold_config(self._settings).as_settings(),
            partition,
            started=self._now,
            by="rebuild",
            time=self._now,
            event_id=f"defaults:{partition}",
            source="prequel/rebuild",
        )

    @property
    def _key(self) -> bytes:
        return self._settings.snapshot_key.get_secret_value().encode()
