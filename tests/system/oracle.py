"""The oracle: what the log says must be in every snapshot that was ever written, and in every prediction."""

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import closing

import orjson

from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.models import registry
from prequel.services.learner.snapshots.root import read_roots, root_key
from prequel.shared.config import Settings
from prequel.shared.events.images import decode_image
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS, Log, Position, Record
from prequel.shared.store.base import Store, StoreUnavailable

POLL_S = 0.1
Roots = dict[tuple[int, int], set[str]]
"""(partition, offset) -> digests of the snapshots there: one, if all is well."""


class Watcher(threading.Thread):
    """Collects the root of every snapshot: a root key keeps three, and is looked at more often than it is written."""

    def __init__(self, store: Store, partitions: int) -> None:
        super().__init__(name="watcher", daemon=True)
        self._store, self._partitions = store, partitions
        self._ended = threading.Event()
        self.roots: Roots = defaultdict(set)
        self.error: BaseException | None = None

    def run(self) -> None:
        while not self._ended.wait(POLL_S):
            try:
                self._look()
            except StoreUnavailable:
                continue
            except BaseException as error:
                self.error = error
                raise

    def _look(self) -> None:
        for partition in range(self._partitions):
            for root in read_roots(self._store.get(root_key(partition))):
                self.roots[partition, root.offset].add(root.digest)

    def end(self) -> Roots:
        """All that were seen, the newest included."""
        self._ended.set()
        self.join()
        assert self.error is None, self.error
        self._look()
        return self.roots


class Reference:
    """The fold of the whole log by itself: no group, no snapshot, no crash."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings, self._log = settings, log
        self.checked = 0
        self.wrong: list[str] = []
        self.folds: dict[int, Fold] = {}

    def compare(self, roots: Mapping[tuple[int, int], Collection[str]]) -> None:
        """Fold every partition and compare with every snapshot on the way."""
        for partition in self._log.bounds(EXAMPLES):
            due = {offset: set(digests) for (where, offset), digests in roots.items() if where == partition}
            self._fold(partition, due)
            self.wrong += [
                f"examples:{partition}: a snapshot at {offset}, where the log does not reach" for offset in due
            ]

    def images(self) -> dict[str, int]:
        """Examples learned, by stream."""
        return {name: stream.images for fold in self.folds.values() for name, stream in fold.streams.items()}

    def labelled(self) -> dict[str, int]:
        return {name: stream.labelled for fold in self.folds.values() for name, stream in fold.streams.items()}

    def _fold(self, partition: int, due: dict[int, set[str]]) -> None:
        cache = FeatureCache(self._log, 20_000, 2**29)
        fold = Fold(fold_config(self._settings), registry, cache, position=0, partitions=self._log.partitions(EXAMPLES))
        self._check(partition, fold, due)
        for record in records(self._log, EXAMPLES, partition):
            fold.apply([record])
            self._check(partition, fold, due)
        self.folds[partition] = fold

    def _check(self, partition: int, fold: Fold, due: dict[int, set[str]]) -> None:
        if fold.position in due:
            self.checked += 1
            if due.pop(fold.position) != {fold.digest()}:
                self.wrong.append(f"examples:{partition}: the snapshot at {fold.position} is not what the log says")


def records(log: Log, topic: str, partition: int) -> list[Record]:
    """All of one partition."""
    begin, end = log.bounds(topic)[partition]
    with closing(log.follow(topic, {partition: begin})) as reader:
        all_records: list[Record] = []
        while reader.positions()[partition] < end:
            all_records += reader.poll(1_000, 1.0)
    return all_records


def everything(log: Log, topic: str) -> list[Record]:
    return [record for partition in log.bounds(topic) for record in records(log, topic, partition)]


def lost_images(log: Log, acknowledged: Mapping[tuple[str, str], Position]) -> list[str]:
    """Acknowledged ids that are not in the log at the acknowledged position."""
    there = {(record.partition, record.offset): decode_image(record).id for record in everything(log, IMAGES)}
    return [id for (_, id), at in acknowledged.items() if there.get((at.partition, at.offset)) != id]


def contradictions(log: Log) -> list[str]:
    """Events of `predictions` that are in the log with two different contents."""
    values_by_event: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    for record in everything(log, PREDICTIONS):
        # A label that came before its image has two outcomes: it waits, and later it is learned.
        status = orjson.loads(record.value).get("status", "")
        values_by_event[dict(record.headers)["ce_id"].decode(), status].add(record.value)
    return [f"{event}: {sorted(values)}" for event, values in values_by_event.items() if len(values) > 1]


def predicted(log: Log) -> set[str]:
    """Ids with a prediction in the log."""
    ids = set()
    for record in everything(log, PREDICTIONS):
        headers = dict(record.headers)
        if headers["ce_type"] == b"prequel.prediction.v1":
            ids.add(headers["ce_id"].decode())
    return ids


def dead_letters(log: Log) -> dict[str, tuple[str, str]]:
    """Origin -> reason and detail."""
    reasons = {}
    for record in everything(log, DEAD_LETTERS):
        headers = {name: value.decode() for name, value in record.headers}
        reasons[headers["ce_origin"]] = headers["ce_reason"], headers["ce_detail"]
    return reasons
