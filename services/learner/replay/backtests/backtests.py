"""The back-tests of a learner's streams: any thread asks for one or ends it, the learner's own follows it."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from prequel.services.learner.context import LearnerContext
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.services.learner.replay.backtests.asking import backtest_job
from prequel.services.learner.replay.backtests.job import KIND, BacktestJob
from prequel.services.learner.replay.backtests.stored import StoredBacktests
from prequel.services.learner.replay.jobs.base import Job
from prequel.services.learner.replay.jobs.queue import JobOwner, JobQueue, QueuedJob, QueueFull
from prequel.shared.backtests import (
    CANCELLED,
    DONE,
    FAILED,
    FORGOTTEN,
    RUNNING,
    WAITING,
    Backtest,
    BacktestRefused,
    BacktestRequest,
)
from prequel.shared.log.partitioner import partition_for
from prequel.shared.queries import UnknownStream
from prequel.shared.runtime.deadlines import STATUS_BACKOFF
from prequel.shared.runtime.retry import Attempts
from prequel.shared.store.base import StoreUnavailable

PROGRESS_SECONDS = 0.5
"""From one note of the progress in the store to the next: a bar that moves twice a second looks alive. Half as long
doubles the writes for nothing, twice as long looks as if it had stopped."""

MAX_TRIES = 3
"""How often one is begun that is running when its learner ends. It may be what ends the learner, for lack of memory;
with one more, that happens once more. With one less, two restarts in an hour would lose a long one."""


@dataclass
class _Active:
    """One that waits or runs: as it was last stored, and its job, None until the fold has reached its end again."""

    backtest: Backtest
    partition: int
    queued: QueuedJob | None
    stored_at: float


class Backtests:
    """Every change is in the store before anybody is told, so that all gateways read the same there.

    ``partitions`` are those of the learner, and ``state_lock`` is held while their state changes.
    """

    def __init__(
        self,
        context: LearnerContext,
        partitions: Mapping[int, OwnedPartition],
        state_lock: threading.Lock,
        jobs: JobQueue,
    ) -> None:
        self._context, self._partitions, self._state_lock, self._jobs = context, partitions, state_lock, jobs
        self._stored = StoredBacktests(context.store)
        self._signed = bool(context.settings.snapshot_key.get_secret_value())
        self._lock = threading.Lock()
        """Held during every change, with its writes to the store."""
        self._active: dict[tuple[str, str], _Active] = {}
        """By stream and id."""
        self._deleted: set[str] = set()
        """Streams whose back-tests are to be forgotten."""
        self._attempts = Attempts("learner: back-tests", context.health, STATUS_BACKOFF, clock=context.clock)

    # For any thread.

    def start(self, stream: str, request: BacktestRequest) -> Backtest:
        """Ask for one; what is known of it where that was asked before.

        Raises UnknownStream, BacktestRefused, StoreUnavailable. Blocks for the batch in progress, and for the store.
        """
        with self._state_lock:
            partition = self._owner(stream)
            job = backtest_job(request, partition, partition.fold.streams[stream], signed=self._signed)
        with self._lock:
            if known := self._stored.get(stream, request.id):
                return known
            backtest = _asked_for(stream, request, job, now=self._context.clock())
            self._stored.put(backtest)
            try:
                self._submit(_Active(backtest, partition.number, None, backtest.asked_at))
            except QueueFull as full:
                self._stored.delete([backtest])
                raise BacktestRefused(str(full)) from full
            return backtest

    def end(self, stream: str, id: str) -> Backtest | None:
        """Cancel one that waits or runs; forget one that has ended. None where there is none. Raises as ``start``."""
        with self._state_lock:
            self._owner(stream)
        with self._lock:
            active = self._active.get((stream, id))
            if active is not None:
                return self._cancel(active)
            backtest = self._stored.get(stream, id)
            if backtest is not None:
                self._stored.delete([backtest])
            return backtest and backtest.model_copy(update={"status": FORGOTTEN})

    # For the learner's thread.

    def resume(self, partition: OwnedPartition) -> None:
        """Go on with those of a partition that was restored: another learner, or this one before, had begun them.

        Blocks; raises StoreUnavailable.
        """
        number, partitions = partition.number, partition.partitions
        unfinished = self._stored.unfinished(lambda name: partition_for(name.encode(), partitions) == number)
        with self._lock:
            for backtest in unfinished:
                tries = backtest.tries + (backtest.status == RUNNING)
                again = backtest.model_copy(update={"status": WAITING, "progress": 0.0, "tries": tries})
                self._stored.put(again)
                self._active[backtest.stream, backtest.id] = _Active(again, number, None, 0.0)

    def work(self) -> None:
        """Start what can be started, and store what has changed. Where the store refuses, that is tried again."""
        if not (self._active or self._deleted) or not self._lock.acquire(blocking=False):
            return  # Else a request writes to the store just now: the next turn is soon enough.
        try:
            self._attempts.run(self._work, StoreUnavailable)
        finally:
            self._lock.release()

    def stream_deleted(self, stream: str) -> None:
        """End and forget all of a stream."""
        self._jobs.cancel_all(lambda owner: owner.stream == stream)
        with self._lock:
            self._active = {name: each for name, each in self._active.items() if name[0] != stream}
            self._deleted.add(stream)

    # With the lock.

    def _work(self) -> None:
        for stream in sorted(self._deleted):
            self._stored.delete(self._stored.all(stream))
            self._deleted.discard(stream)
        for name, active in list(self._active.items()):
            if active.partition not in self._partitions:  # Revoked: its next owner goes on with what is in the store.
                if active.queued is not None:  # Asked for while it was revoked.
                    self._jobs.cancel(active.queued)
                del self._active[name]
            elif active.queued is None:
                self._begin_again(active)
            else:
                self._store(active, active.queued)

    def _begin_again(self, active: _Active) -> None:
        """Once the fold is where it was when this was asked for: it then knows the same classes."""
        backtest = active.backtest
        if backtest.tries > MAX_TRIES:
            self._finish(active, FAILED, f"its learner ended {MAX_TRIES} times while it ran; ask for it again")
        elif self._partitions[active.partition].fold.position >= int(backtest.job["end"]):
            with suppress(QueueFull):  # Then at a later turn.
                self._submit(active)

    def _submit(self, active: _Active) -> None:
        """Raises QueueFull."""
        backtest = active.backtest
        active.queued = self._jobs.submit(Job(KIND, backtest.job), JobOwner(active.partition, backtest.stream))
        self._active[backtest.stream, backtest.id] = active

    def _store(self, active: _Active, queued: QueuedJob) -> None:
        if queued.ended:
            self._finish(active, queued.state, queued.why, queued.result if queued.state == DONE else None)
            return
        now, before = self._context.clock(), active.backtest
        current = before.model_copy(update={"status": queued.state, "progress": round(queued.progress, 3)})
        if current.status != before.status or (current != before and now >= active.stored_at + PROGRESS_SECONDS):
            self._stored.put(current)
            active.backtest, active.stored_at = current, now

    def _cancel(self, active: _Active) -> Backtest:
        if active.queued is not None and not self._jobs.cancel(active.queued):
            self._store(active, active.queued)  # It has just ended by itself.
            return active.backtest
        return self._finish(active, CANCELLED)

    def _finish(self, active: _Active, status: str, why: str = "", result: bytes | None = None) -> Backtest:
        before = active.backtest
        changes = {"status": status, "why": why, "ended_at": self._context.clock(), "job": {}}
        active.backtest = before.model_copy(update=changes | ({"progress": 1.0} if status == DONE else {}))
        self._stored.put(active.backtest, result)
        self._active.pop((before.stream, before.id), None)
        return active.backtest

    def _owner(self, stream: str) -> OwnedPartition:
        for partition in self._partitions.values():
            if stream in partition.fold.streams:
                return partition
        raise UnknownStream(stream)


def _asked_for(stream: str, request: BacktestRequest, job: BacktestJob, *, now: float) -> Backtest:
    champion, *models = job.plan.models or ()
    return Backtest(
        id=request.id,
        stream=stream,
        status=WAITING,
        champion=champion,
        models=models,
        backbone=job.other,
        since=request.since,
        last=request.last,
        asked_at=now,
        tries=1,
        job=job.as_json(),
    )
