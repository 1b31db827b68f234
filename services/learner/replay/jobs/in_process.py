"""Jobs in the caller's own process and thread: for tests, and wherever no other process can be had."""

from collections.abc import Mapping

from prequel.services.learner.replay.jobs.base import Job, JobContext, JobFailed, JobFunction, result
from prequel.services.learner.replay.jobs.running import run_job


class InProcessWorkers:
    """Runs a job as a whole within the ``polls``-th poll, so that nothing depends on threads or time.

    ``kinds`` is the table of functions; all jobs share the ``context``.
    """

    def __init__(self, kinds: Mapping[str, JobFunction], context: JobContext, polls: int = 1) -> None:
        self._kinds, self._context, self._polls = kinds, context, polls

    def start(self, job: Job) -> "InProcessJob":
        return InProcessJob(self._kinds, job, self._context, self._polls)


class InProcessJob:
    """One job, which has not begun before its time has come."""

    def __init__(self, kinds: Mapping[str, JobFunction], job: Job, context: JobContext, polls: int) -> None:
        self._kinds, self._job, self._context, self._polls = kinds, job, context, polls
        self._outcome: bytes | JobFailed | None = None
        self.progress = 0.0

    def poll(self) -> bool:
        if self._outcome is None:
            self._polls -= 1
            if self._polls <= 0:
                self._run()
        return self._outcome is not None

    def outcome(self) -> bytes:
        return result(self._outcome)

    def cancel(self) -> None:
        if self._outcome is None:
            self._outcome = JobFailed("the job was cancelled")

    def _run(self) -> None:
        try:
            self._outcome = run_job(self._kinds, self._job, self._context, self._report)
        except JobFailed as error:
            self._outcome = error

    def _report(self, done: int, total: int) -> None:
        self.progress = min(1.0, done / total) if total else 0.0
