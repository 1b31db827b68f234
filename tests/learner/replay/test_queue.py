"""The queue of jobs: one at a time, catch-ups first, bounded, and nothing left behind."""

import pytest

from prequel.services.learner.replay.jobs.base import Job, JobFailed
from prequel.services.learner.replay.jobs.queue import JobOwner, JobQueue, QueuedJob, QueueFull

S, OTHER = JobOwner(0, "s"), JobOwner(1, "other")


class Started:
    """A running job that the test ends."""

    def __init__(self, job: Job) -> None:
        self.job, self.progress, self.cancelled = job, 0.5, False
        self.end: bytes | JobFailed | None = None

    def poll(self) -> bool:
        return self.end is not None or self.cancelled

    def outcome(self) -> bytes:
        if isinstance(self.end, JobFailed):
            raise self.end
        return self.end or b""

    def cancel(self) -> None:
        self.cancelled = True


class Notes:
    """Workers that note what was started."""

    def __init__(self) -> None:
        self.started: list[Started] = []
        self.refuse = ""

    def start(self, job: Job) -> Started:
        if self.refuse:
            raise JobFailed(self.refuse)
        self.started.append(Started(job))
        return self.started[-1]

    @property
    def alive(self) -> list[str]:
        return [each.job.kind for each in self.started if not each.poll()]


@pytest.fixture
def workers() -> Notes:
    return Notes()


@pytest.fixture
def queue(workers: Notes) -> JobQueue:
    return JobQueue(workers, max_waiting=3)


def submit(queue: JobQueue, kind: str, owner: JobOwner = S, *, urgent: bool = False) -> QueuedJob:
    return queue.submit(Job(kind, {}), owner, urgent=urgent)


def test_jobs_run_one_after_the_other_in_their_order(queue: JobQueue, workers: Notes) -> None:
    jobs = [submit(queue, kind) for kind in "abc"]
    assert workers.alive == []
    for number, kind in enumerate("abc"):
        queue.work()
        assert workers.alive == [kind]
        assert (jobs[number].state, jobs[number].progress) == ("running", 0.5)
        workers.started[-1].end = kind.encode()
    queue.work()
    assert [(job.state, job.result, job.progress) for job in jobs] == [("done", k, 1.0) for k in (b"a", b"b", b"c")]


def test_a_failure_has_its_reason_and_the_next_job_runs(queue: JobQueue, workers: Notes) -> None:
    first, second = submit(queue, "a"), submit(queue, "b")
    queue.work()
    workers.started[0].end = JobFailed("no room")
    queue.work()
    assert (first.state, first.why, second.state) == ("failed", "no room", "running")


def test_a_job_that_cannot_be_started_fails(queue: JobQueue, workers: Notes) -> None:
    workers.refuse = "no process"
    job = submit(queue, "a")
    queue.work()
    assert (job.state, job.why) == ("failed", "no process")
    workers.refuse = ""
    submit(queue, "b")
    queue.work()
    assert workers.alive == ["b"]


def test_too_many_are_refused_but_urgent_ones_are_not(queue: JobQueue) -> None:
    submit(queue, "a")
    queue.work()
    for kind in "bcd":
        submit(queue, kind)
    with pytest.raises(QueueFull, match="3 jobs wait already"):
        submit(queue, "e")
    assert submit(queue, "f", urgent=True).state == "waiting"


def test_an_urgent_job_takes_the_place_of_one_that_is_not_which_begins_anew(queue: JobQueue, workers: Notes) -> None:
    first, second = submit(queue, "a"), submit(queue, "b")
    queue.work()
    urgent = [submit(queue, kind, urgent=True) for kind in "uv"]
    queue.work()
    assert (workers.alive, first.state, urgent[0].state) == (["u"], "waiting", "running")
    assert workers.started[0].cancelled
    for expected in ("v", "a", "b"):
        workers.started[-1].end = b""
        queue.work()
        assert workers.alive == [expected]
    assert (first.state, second.state) == ("done", "running")


def test_a_cancelled_job_is_ended_at_once(queue: JobQueue, workers: Notes) -> None:
    running, waiting = submit(queue, "a"), submit(queue, "b")
    queue.work()
    assert [queue.cancel(job) for job in (running, waiting, running)] == [True, True, False]
    assert (workers.alive, running.state, waiting.state) == ([], "cancelled", "cancelled")
    queue.work()
    assert workers.alive == []


def test_the_jobs_of_a_revoked_partition_end_and_others_go_on(queue: JobQueue, workers: Notes) -> None:
    running, waiting, others = submit(queue, "a"), submit(queue, "b"), submit(queue, "c", OTHER)
    queue.work()
    queue.cancel_all(lambda owner: owner.partition == 0)
    queue.work()
    assert [job.state for job in (running, waiting, others)] == ["cancelled", "cancelled", "running"]
    assert workers.alive == ["c"]


def test_a_closed_queue_runs_nothing_and_takes_nothing(queue: JobQueue, workers: Notes) -> None:
    jobs = [submit(queue, kind) for kind in "ab"]
    queue.work()
    queue.close()
    queue.work()
    assert ([job.state for job in jobs], workers.alive) == (["cancelled", "cancelled"], [])
    with pytest.raises(QueueFull, match="the learner is stopping"):
        submit(queue, "c")
