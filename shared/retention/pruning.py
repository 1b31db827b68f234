"""Removes from the embedded log what retention lets go and nobody needs: in small steps, by one process at a time."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol, runtime_checkable

from prequel.shared.log.base import Bounds
from prequel.shared.log.sqlite.pruning import STEP_BYTES, FilePruning, FileUsage
from prequel.shared.retention.needs import Need, Needs
from prequel.shared.retention.policy import Retention

PASS_SECONDS = 20.0
"""How long the lock is kept at once: a rebuild that wants to begin waits for it."""

REST = 9.0
"""Times as long as a step took the process then leaves the disk to others: pruning costs at most a tenth of it."""

BEHIND_REST = 1.0
BEHIND_BYTES = 64 * 2**20
BEHIND_PART = 8
"""The same where a topic is over its size by more than the smaller of these, an eighth of what it may have, or where
the disk is nearly full: then it is better that others wait than that they are refused."""

MAX_REST_SECONDS = 1.0

SLACK_BYTES = 64 * 2**20
SLACK_PART = 0.05
SMALL_PART = 0.25
"""Free room that stays in a file for the next records: giving it back means moving pages, and new ones would have to
be taken from the disk again at once. A twentieth, at least 64 MiB, but of a small file no more than a quarter."""

SCARCE_SLACK_BYTES = 2**20
"""The same while the disk is nearly full and images are refused: then it is needed there."""


@runtime_checkable
class PrunableLog(Protocol):
    """A log that removes old records itself (the embedded one; Kafka's brokers do it). Both calls may block."""

    def bounds(self, topic: str) -> dict[int, Bounds]: ...

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> the group's committed position, where it has one. Raises LogUnavailable."""
        ...

    def pruning(self, topic: str) -> FilePruning:
        """What takes records out of a topic. Raises LogUnavailable."""
        ...

    def pruning_lock(self) -> AbstractContextManager[bool]:
        """Whether it is this caller who prunes, until the end of the block. Raises LogUnavailable."""
        ...


@runtime_checkable
class ReplayableLog(Protocol):
    """A log that can be kept from removing anything while it is read from its beginning."""

    def replay_lock(self) -> AbstractContextManager[None]:
        """Nothing is removed until the end of the block. Blocks while somebody prunes; raises LogUnavailable."""
        ...


class PruneResult(NamedTuple):
    """What one pass removed: records by topic, and whether there is more to remove at once.

    ``ran`` is False, and nothing was removed, where another process was pruning or replaying.
    """

    records: dict[str, int]
    unfinished: bool
    ran: bool


class Pruner:
    """``clock``: seconds since the epoch; ``timer``: seconds that never go back; ``rest``: times as long as a step;
    ``slack``: free bytes that stay in a file. Raises LogUnavailable and StoreUnavailable.
    """

    def __init__(
        self,
        log: PrunableLog,
        needs: Needs,
        retentions: Mapping[str, Retention],
        *,
        clock: Callable[[], float],
        timer: Callable[[], float],
        rest: float = REST,
        slack: Callable[[FileUsage], int] | None = None,
    ) -> None:
        self._log, self._needs, self._retentions = log, needs, retentions
        self._clock, self._timer, self._rest, self._slack = clock, timer, rest, slack or slack_of

    def run(self, stop: threading.Event) -> PruneResult:
        """One pass over all topics, until PASS_SECONDS or ``stop``; none where somebody else prunes or replays."""
        done = dict.fromkeys(self._retentions, 0)
        with self._log.pruning_lock() as ours:
            turn = _Turn(stop, self._timer, self._timer() + PASS_SECONDS)
            limited = [topic for topic, retention in self._retentions.items() if ours and not retention.forever]
            for topic in self._retentions if ours else ():
                self._make_room(self._log.pruning(topic))
            for topic in limited:
                done[topic] = self._drop(topic, self._retentions[topic], self._log.pruning(topic), turn)
                if done[topic]:
                    self._log.pruning(topic).truncate_wal()  # On a full disk this is what makes room again.
            for topic in limited:  # Afterwards: on a full disk this has no room before all that may go has gone.
                self._shrink(self._log.pruning(topic), turn)
            return PruneResult(done, ours and turn.over, ours)

    def _make_room(self, pruning: FilePruning) -> None:
        """On a disk that is nearly full, what write-ahead logs hold is the room that the first step needs."""
        if pruning.disk_is_scarce():
            pruning.truncate_wal()

    def _drop(self, topic: str, retention: Retention, pruning: FilePruning, turn: "_Turn") -> int:
        removed, exhausted = 0, set[int]()
        while not turn.over:
            # Asked anew before each step: a learner that begins again needs more than a moment ago.
            needs = self._needs.of(topic)
            cutoff = cutoff_of(retention, self._clock())
            partition = _due({p: need for p, need in needs.items() if p not in exhausted}, pruning, retention, cutoff)
            if partition is None:
                break
            excess = STEP_BYTES if retention.bytes is None else pruning.usage().used - retention.bytes
            with turn.step(self._rest_after(retention, excess)):
                count = pruning.delete_oldest(
                    partition, needs[partition].offset, appended_before=cutoff, max_bytes=min(STEP_BYTES, excess)
                )
            removed += count
            if not count:
                exhausted.add(partition)
        return removed

    def _rest_after(self, retention: Retention, excess: int) -> float:
        behind = retention.bytes is not None and excess > min(BEHIND_BYTES, retention.bytes // BEHIND_PART)
        return min(self._rest, BEHIND_REST) if behind else self._rest

    def _shrink(self, pruning: FilePruning, turn: "_Turn") -> None:
        shrunk, rest = 0, min(self._rest, BEHIND_REST) if pruning.disk_is_scarce() else self._rest
        if pruning.can_shrink():
            keep = SCARCE_SLACK_BYTES if pruning.disk_is_scarce() else self._slack(pruning.usage())
            while not turn.over and pruning.usage().free > keep:
                with turn.step(rest):
                    given = pruning.shrink(keep)
                shrunk += given
                if not given:
                    break
        if shrunk:
            pruning.truncate_wal()


def slack_of(usage: FileUsage) -> int:
    """Bytes that stay free in a file so large."""
    return int(max(SLACK_PART * usage.total, min(SLACK_BYTES, SMALL_PART * usage.total)))


def cutoff_of(retention: Retention, now: float) -> float:
    """Records appended earlier may go."""
    return float("inf") if retention.seconds is None else now - retention.seconds


def exceeds_retention(retention: Retention, usage: FileUsage, oldest: float, now: float) -> bool:
    """Whether more is kept than retention says: what is too old, or the whole too large."""
    if retention.bytes is not None:
        return usage.used > retention.bytes
    return oldest < cutoff_of(retention, now)


def _due(needs: Mapping[int, Need], pruning: FilePruning, retention: Retention, cutoff: float) -> int | None:
    """The partition whose oldest record is to go next: the oldest of all that may."""
    if retention.bytes is not None and pruning.usage().used <= retention.bytes:
        return None
    found = {p: at for p, (offset, at) in pruning.oldest().items() if p in needs and offset < needs[p].offset}
    due = {partition: at for partition, at in found.items() if at < cutoff}
    return min(due, key=due.__getitem__, default=None)


class _Turn:
    """The time that one pass may take, and the rests in it."""

    def __init__(self, stop: threading.Event, timer: Callable[[], float], deadline: float) -> None:
        self._stop, self._timer, self._deadline = stop, timer, deadline

    @property
    def over(self) -> bool:
        return self._stop.is_set() or self._timer() >= self._deadline

    @contextmanager
    def step(self, rest: float) -> Iterator[None]:
        """What is done in the block is followed by a rest of so many times as long."""
        began = self._timer()
        yield
        self._stop.wait(min(rest * (self._timer() - began), MAX_REST_SECONDS))
