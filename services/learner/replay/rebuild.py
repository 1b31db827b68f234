"""Rebuilding: folds the log from its start, in parallel over partitions, and compares with the stored snapshots."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from prequel.services.learner.fold.defaults import as_settings, limits
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.stream import ModelTable
from prequel.services.learner.learner import check_partitions
from prequel.services.learner.replay.comparison import WITHIN, compare
from prequel.services.learner.snapshots.envelope import Envelope, Place
from prequel.services.learner.snapshots.fingerprint import build, differences
from prequel.services.learner.snapshots.recovery import first_fold
from prequel.services.learner.snapshots.snapshots import Root, Snapshots, read_roots, root_key
from prequel.shared.config import ConfigError, Settings
from prequel.shared.events.defaults import encode_defaults
from prequel.shared.log.base import EXAMPLES, Log, Message
from prequel.shared.store.base import Fence, Fenced, Store

POLL_RECORDS = 1_000

MOST_GENERATIONS = 10_000
"""Members of a group that came and went without a snapshot between them, at most."""


class Interrupted(Exception):
    """Somebody stopped it: what was not finished is as it was."""


class Verdict(NamedTuple):
    """What came of one partition. ``compared`` is the newest snapshot's digest, None where there is none."""

    partition: int
    offset: int
    streams: int
    examples: int
    digest: str
    compared: str | None
    equal: bool
    remark: str


class Rebuild:
    """Folds every partition from the beginning of the log to its newest snapshot, or to its end without one.

    ``advance`` is told of every batch: partition and records folded. Raises LogUnavailable, StoreUnavailable, and
    Interrupted soon after ``stop`` is set.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        store: Store,
        table: ModelTable,
        advance: Callable[[int, int], None],
        stop: threading.Event,
        *,
        now: float = 0.0,
    ) -> None:
        """``now`` is when it began: for the record of the settings, where the log has none yet."""
        self._now = now
        self._settings, self._log, self._store, self._table = settings, log, store, table
        self._advance, self._stop = advance, stop

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

        For stopped learners only: one that runs is fenced out and starts again from the new snapshot.
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
            return self._verdict(partition, fold, None, True, "no snapshot to compare with")
        if begin > root.defaults[0][0]:
            return self._verdict(partition, fold, root, False, f"retention removed the first {begin} events")
        if fold.digest() == root.digest:
            return self._verdict(partition, fold, root, *self._readable(partition, fold, root))
        if root.built_on == build():
            return self._verdict(partition, fold, root, False, "the snapshot is not what the log says")
        return self._verdict(partition, fold, root, *self._elsewhere(partition, fold, root))

    def _elsewhere(self, partition: int, fold: Fold, root: Root) -> tuple[bool, str]:
        """Compare with a snapshot of another kind of machine, where the last bits may be others."""
        made = f"made on another kind of machine ({differences(root.built_on)})"
        try:
            found = compare(fold, self._kept(partition, fold, root))
        except ValueError as error:
            return False, f"{made}, and a learner could not read the snapshot here: {error}"
        return (False, f"{made}, but more than rounding differs: {found}") if found else (True, f"{WITHIN}; {made}")

    def _write(self, partition: int, owner: str) -> Verdict:
        partitions = self._log.partitions(EXAMPLES)
        for root in read_roots(self._store.get(root_key(partition))):
            check_partitions(root.partitions, partitions)
        snapshots, generation = self._take_over(partition, owner)
        fold = self._fold(partition, self._log.bounds(EXAMPLES)[partition].end, write=True)
        envelope = Envelope(self._key, Place(partition, fold.position, generation))
        rows, refused = fold.history.rows(), list(fold.refused)
        snapshots.write(fold.position, partitions, rows, fold.parts(envelope.seal), fold.last, refused=refused)
        return self._verdict(partition, fold, None, True, "written")

    def _take_over(self, partition: int, owner: str) -> tuple[Snapshots, int]:
        """Under the generation of whoever held it last, which may have written nothing: any later one fences us out."""
        roots = read_roots(self._store.get(root_key(partition)))
        generation = max((root.generation for root in roots), default=0)
        for ahead in range(MOST_GENERATIONS):
            fence = Fence(self._settings.incarnation, generation + ahead, owner)
            snapshots = Snapshots(self._store, partition, fence, most_bytes=self._settings.snapshot_max_bytes)
            try:
                snapshots.acquire()
            except Fenced:
                continue
            return snapshots, generation + ahead
        raise ConfigError(
            f"examples:{partition} is held by a later incarnation than PREQUEL_INCARNATION="
            f"{self._settings.incarnation}: use the learners' own"
        )

    def _fold(self, partition: int, end: int, *, write: bool) -> Fold:
        cache = FeatureCache(self._log, self._settings.cache_examples, self._settings.cache_bytes)
        fold = first_fold(self._log, partition, self._mine(partition), self._table, cache, write=write)
        reader = self._log.follow(EXAMPLES, {partition: fold.position})
        try:
            while fold.position < end and reader.positions()[partition] < end:
                records = [record for record in reader.poll(POLL_RECORDS, 1.0) if record.offset < end]
                fold.apply(records)
                for stream in fold.streams.values():
                    stream.delays.clear()  # for metrics, which nobody takes here: a float per label of the whole log
                self._advance(partition, len(records))
                if self._stop.is_set():
                    raise Interrupted
        finally:
            reader.close()
        return fold

    def _mine(self, partition: int) -> Message:
        settings = as_settings(limits(self._settings))
        return encode_defaults(
            settings,
            partition,
            started=self._now,
            by="rebuild",
            time=self._now,
            event_id=f"defaults:{partition}",
            source="prequel/rebuild",
        )

    def _readable(self, partition: int, fold: Fold, root: Root) -> tuple[bool, str]:
        """Whether what the root names is there, and is the state that its digest says."""
        try:
            found = self._kept(partition, fold, root).digest() == root.digest
        except ValueError as error:
            return False, f"the root is right, but a learner could not read the snapshot: {error}"
        return (True, "bit-equal") if found else (False, "the root is right, but its parts are another state")

    def _kept(self, partition: int, fold: Fold, root: Root) -> Fold:
        """The state that a learner would begin with. Raises ValueError where it cannot be read."""
        snapshots = Snapshots(self._store, partition, Fence(0, 0, ""), most_bytes=0)
        envelope = Envelope(self._key, Place(partition, root.offset, root.generation))
        return Fold.from_root(root, snapshots.read, envelope, self._table, fold.cache)

    def _verdict(self, partition: int, fold: Fold, root: Root | None, equal: bool, remark: str) -> Verdict:
        examples = sum(stream.images for stream in fold.streams.values())
        compared = root.digest if root else None
        return Verdict(partition, fold.position, len(fold.streams), examples, fold.digest(), compared, equal, remark)

    @property
    def _key(self) -> bytes:
        return self._settings.snapshot_key.get_secret_value().encode()
