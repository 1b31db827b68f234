"""Removes from the embedded log what retention allows and nobody needs: in small steps, by one process at a time."""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, runtime_checkable

from prequel.shared.log.base import Bounds
from prequel.shared.log.sqlite.pruning import STEP_BYTES, FilePruning, FileUsage
from prequel.shared.retention.needs import Need, Needs
from prequel.shared.retention.pacing import Pass
from prequel.shared.retention.policy import Retention

PASS_SECONDS = 20.0
"""How long one pass keeps the lock: a rebuild that wants to begin waits for it. Half would make passes so short that a
large backlog is mostly waited for; double would bring a waiting rebuild near its own timeout (REPLAY_WAIT_S)."""

PAUSE_FACTOR = 9.0
"""After a step of one second the process leaves the disk to others for nine: pruning takes at most a tenth of it."""

BEHIND_PAUSE_FACTOR = 1.0
BEHIND_BYTES = 64 * 2**20
BEHIND_PART = 8
"""The same where a topic exceeds its size by more than the smaller of these bytes and an eighth of that size, or where
the disk is nearly full: then it is better to slow others down than to refuse their images."""

SLACK_BYTES = 64 * 2**20
SLACK_PART = 0.05
SMALL_PART = 0.25
"""Free space that stays in a file for the next records: returning it means moving pages, and the file would take it
from the disk again at once. A twentieth, at least 64 MiB, but of a small file no more than a quarter."""

SCARCE_SLACK_BYTES = 2**20
"""The same while the disk is nearly full and images are refused: then the space is needed elsewhere."""


@runtime_checkable
class PrunableLog(Protocol):
    """A log that removes old records itself (the embedded one; Kafka's brokers do it). Both calls may block."""

    def bounds(self, topic: str) -> dict[int, Bounds]: ...

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> the group's committed position, where it has one. Raises LogUnavailable."""
        ...

    def pruning(self, topic: str) -> FilePruning:
        """The object that deletes a topic's records. Raises LogUnavailable."""
        ...

    def pruning_lock(self) -> AbstractContextManager[bool]:
        """Whether this caller may prune until the end of the block: only one process may. Raises LogUnavailable."""
        ...


@runtime_checkable
class ReplayableLog(Protocol):
    """A log that can be kept from removing records while it is read from its beginning."""

    def replay_lock(self) -> AbstractContextManager[None]:
        """Nothing is removed until the end of the block. Blocks while another process prunes; raises LogUnavailable."""
        ...


class PruneResult(NamedTuple):
    """What one pass removed: records by topic, and whether there is more to remove at once.

    ``ran`` is False, and nothing was removed, where another process was pruning or replaying.
    """

    records: dict[str, int]
    unfinished: bool
    ran: bool


class Pruner:
    """Prunes a log by the retention of each topic, in small steps with pauses between them.

    ``clock``: seconds since the epoch; ``timer``: seconds that never go back; ``pause_factor``: pause after a step, in
    multiples of the step; ``slack``: free bytes that stay in a file. Raises LogUnavailable and StoreUnavailable.
    """

    def __init__(
        self,
        log: PrunableLog,
        needs: Needs,
        retentions: Mapping[str, Retention],
        *,
        clock: Callable[[], float],
        timer: Callable[[], float],
        pause_factor: float = PAUSE_FACTOR,
        slack: Callable[[FileUsage], int] | None = None,
    ) -> None:
        self._log, self._needs, self._retentions = log, needs, retentions
        self._clock, self._timer, self._pause_factor, self._slack = clock, timer, pause_factor, slack or slack_of

    def run(self, stop: threading.Event) -> PruneResult:
        """One pass over all topics, until PASS_SECONDS or ``stop``; none while another process prunes or replays."""
        removed = dict.fromkeys(self._retentions, 0)
        with self._log.pruning_lock() as locked:
            if not locked:
                return PruneResult(removed, unfinished=False, ran=False)
            turn = Pass(stop, self._timer, self._timer() + PASS_SECONDS)

            # 1. On a nearly full disk the first step needs space to write: the write-ahead logs of all topics have it.
            for topic in self._retentions:
                self._free_wal(self._log.pruning(topic))

            # 2. Delete. Each topic's write-ahead log is emptied at once: on a full disk this is what makes room again.
            limited = [topic for topic, retention in self._retentions.items() if not retention.forever]
            for topic in limited:
                removed[topic] = self._delete(topic, self._retentions[topic], self._log.pruning(topic), turn)
                if removed[topic]:
                    self._log.pruning(topic).truncate_wal()

            # 3. Shrink the files, only now: moving pages takes space, which a full disk does not have before step 2.
            for topic in limited:
                self._shrink(self._log.pruning(topic), turn)
            return PruneResult(removed, unfinished=turn.over, ran=True)

    def _free_wal(self, pruning: FilePruning) -> None:
        if pruning.disk_is_scarce():
            pruning.truncate_wal()

    def _delete(self, topic: str, retention: Retention, pruning: FilePruning, turn: Pass) -> int:
        """Delete the oldest records, step by step; return how many."""
        removed, exhausted = 0, set[int]()
        while not turn.over:
            # Read again before each step: a learner that starts over needs more than it did a moment ago.
            needs = self._needs.of(topic)
            cutoff = cutoff_of(retention, self._clock())
            candidates = {partition: need for partition, need in needs.items() if partition not in exhausted}
            partition = _next_partition(candidates, pruning, retention, cutoff)
            if partition is None:
                break
            excess = STEP_BYTES if retention.bytes is None else pruning.usage().used - retention.bytes
            with turn.step(self._pause_after(retention, excess)):
                count = pruning.delete_oldest(
                    partition, needs[partition].offset, appended_before=cutoff, max_bytes=min(STEP_BYTES, excess)
                )
            removed += count
            if not count:
                exhausted.add(partition)
        return removed

    def _pause_after(self, retention: Retention, excess: int) -> float:
        behind = retention.bytes is not None and excess > min(BEHIND_BYTES, retention.bytes // BEHIND_PART)
        return min(self._pause_factor, BEHIND_PAUSE_FACTOR) if behind else self._pause_factor

    def _shrink(self, pruning: FilePruning, turn: Pass) -> None:
        """Return free space of a file to the disk, step by step."""
        if not pruning.can_shrink():
            return
        scarce, shrunk = pruning.disk_is_scarce(), 0
        pause = min(self._pause_factor, BEHIND_PAUSE_FACTOR) if scarce else self._pause_factor
        slack = SCARCE_SLACK_BYTES if scarce else self._slack(pruning.usage())
        while not turn.over and pruning.usage().free > slack:
            with turn.step(pause):
                returned = pruning.shrink(slack)
            shrunk += returned
            if not returned:
                break
        if shrunk:
            pruning.truncate_wal()


def slack_of(usage: FileUsage) -> int:
    """Bytes that stay free in a file of this size."""
    return int(max(SLACK_PART * usage.total, min(SLACK_BYTES, SMALL_PART * usage.total)))


def cutoff_of(retention: Retention, now: float) -> float:
    """Records appended earlier may be removed; in seconds since the epoch."""
    return float("inf") if retention.seconds is None else now - retention.seconds


def exceeds_retention(retention: Retention, usage: FileUsage, oldest: float, now: float) -> bool:
    """Whether more is kept than the retention allows: the oldest record is too old, or the topic too large."""
    if retention.bytes is not None:
        return usage.used > retention.bytes
    return oldest < cutoff_of(retention, now)


def _next_partition(needs: Mapping[int, Need], pruning: FilePruning, retention: Retention, cutoff: float) -> int | None:
    """The partition whose oldest record is the oldest of all that may be removed; None if none may."""
    if retention.bytes is not None and pruning.usage().used <= retention.bytes:
        return None
    unneeded = {p: at for p, (offset, at) in pruning.oldest().items() if p in needs and offset < needs[p].offset}
    removable = {partition: at for partition, at in unneeded.items() if at < cutoff}
    return min(removable, key=removable.__getitem__, default=None)
