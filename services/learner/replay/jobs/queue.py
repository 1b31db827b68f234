"""The jobs of one learner: one runs, some wait, more are refused; catch-ups come before back-tests."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from prequel.services.learner.replay.jobs.base import Job, JobFailed, RunningJob, Workers

MAX_QUEUED = 10
"""Jobs that wait, of all streams of this learner; more are refused. A replay takes minutes: whoever asks for the
eleventh would wait for hours. With half as many, five people who try something at the same time would be refused."""

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"


class QueueFull(Exception):
    """Too many jobs wait: the message says how many, and what to do."""


class JobOwner(NamedTuple):
    """Whose job it is: it ends when the learner loses the partition, or the stream is deleted."""

    partition: int
    stream: str


class QueuedJob:
    """A job from being asked for to its end. Its attributes may be read by any thread."""

    def __init__(self, job: Job, owner: JobOwner, *, urgent: bool) -> None:
        self.job, self.owner, self.urgent = job, owner, urgent
        self.state = WAITING
        self.why = ""
        """Where it FAILED, the reason as a sentence."""
        self.result = b""
        """Where it is DONE."""
        self.running: RunningJob | None = None

    @property
    def progress(self) -> float:
        """The share that is done, 0 to 1."""
        running = self.running
        return running.progress if running and self.state == RUNNING else float(self.state == DONE)

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in (DONE, FAILED, CANCELLED)


class JobQueue:
    """One job runs at a time: with two, replays would take a second core from the live services.

    Any thread may ask for jobs and cancel them; the learner's own calls ``work`` again and again. An urgent job goes
    before all that are not, and takes the place of one that runs, which begins anew afterwards: a stream whose model
    waits for its catch-up must not wait for somebody's experiment.
    """

    def __init__(self, workers: Workers, max_waiting: int = MAX_QUEUED) -> None:
        self._workers, self._max_waiting = workers, max_waiting
        self._lock = threading.Lock()
        self._waiting: list[QueuedJob] = []
        self._current: QueuedJob | None = None
        self._closed = False

    def submit(self, job: Job, owner: JobOwner, *, urgent: bool = False) -> QueuedJob:
        """Ask for a job. Raises QueueFull where too many wait that are as urgent."""
        queued = QueuedJob(job, owner, urgent=urgent)
        with self._lock:
            if self._closed:
                raise QueueFull("the learner is stopping: ask again once it, or another, has taken over")
            waiting = sum(each.urgent == urgent for each in self._waiting)
            # Catch-ups are bounded by the streams themselves, each of which has one at most.
            if not urgent and waiting >= self._max_waiting:
                raise QueueFull(f"{waiting} jobs wait already: cancel one, or ask again when one is done")
            self._insert(queued)
        return queued

    def work(self) -> None:
        """Note what has ended, and start what comes next. For the learner's thread; does not wait for a job."""
        with self._lock:
            self._finish_current()
            if self._current and self._waiting and self._waiting[0].urgent and not self._current.urgent:
                self._put_back(self._current)
            if self._current is None and self._waiting:
                self._start(self._waiting.pop(0))

    def cancel(self, queued: QueuedJob) -> bool:
        """End a job now, or take it out of the queue; False where it had ended. Nothing of it runs any more."""
        with self._lock:
            return self._cancel(queued)

    def cancel_all(self, which: Callable[[JobOwner], bool]) -> None:
        """The same for the jobs of some owners: those of a partition that was revoked, of a stream that is deleted."""
        with self._lock:
            for queued in [*self._waiting, *filter(None, [self._current])]:
                if which(queued.owner):
                    self._cancel(queued)

    def close(self) -> None:
        """Cancel everything, and take nothing more."""
        with self._lock:
            self._closed = True
        self.cancel_all(lambda owner: True)

    # With the lock.

    def _insert(self, queued: QueuedJob) -> None:
        """Behind those that are as urgent."""
        at = sum(each.urgent for each in self._waiting) if queued.urgent else len(self._waiting)
        self._waiting.insert(at, queued)

    def _start(self, queued: QueuedJob) -> None:
        try:
            queued.running = self._workers.start(queued.job)
        except JobFailed as error:
            queued.state, queued.why = FAILED, str(error)
            return
        queued.state, self._current = RUNNING, queued

    def _put_back(self, queued: QueuedJob) -> None:
        """To the head of those that are not urgent."""
        assert queued.running is not None
        queued.running.cancel()
        queued.state, queued.running, self._current = WAITING, None, None
        self._waiting.insert(sum(each.urgent for each in self._waiting), queued)

    def _finish_current(self) -> None:
        queued = self._current
        if queued is None or queued.running is None or not queued.running.poll():
            return
        self._current = None
        try:
            queued.result = queued.running.outcome()
            queued.state = DONE
        except JobFailed as error:
            queued.state, queued.why = FAILED, str(error)
        queued.running = None

    def _cancel(self, queued: QueuedJob) -> bool:
        if queued.ended:
            return False
        if queued.running is not None:
            queued.running.cancel()
        if queued is self._current:
            self._current = None
        else:
            self._waiting.remove(queued)
        queued.state, queued.running = CANCELLED, None
        return True
