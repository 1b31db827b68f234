"""Where jobs run: one suite for this process and for one of their own; what becomes of processes that are killed."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from prequel.services.learner.replay.jobs.base import Job, JobFailed, RunningJob, Workers
from prequel.services.learner.replay.jobs.child_process import ChildProcesses
from prequel.services.learner.replay.jobs.in_process import InProcessWorkers
from prequel.shared.config import Settings
from tests.e2e.processes import ROOT, eventually
from tests.learner.replay.job_kinds import KINDS, context_of

SETTINGS = Settings.model_validate({"seed": 7, "snapshot_key": "hush-hush", "data": "some/where"})
COMMAND = [sys.executable, "-m", "tests.learner.replay.job_kinds"]
DEADLINE_S = 60.0


def child_processes() -> ChildProcesses:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}
    return ChildProcesses(COMMAND, environ, SETTINGS)


@pytest.fixture(params=["in process", "child process"])
def workers(request: pytest.FixtureRequest) -> Workers:
    return InProcessWorkers(KINDS, context_of(SETTINGS)) if request.param == "in process" else child_processes()


def ended(job: RunningJob) -> RunningJob:
    eventually(job.poll, "the job ends", DEADLINE_S)
    return job


def start(workers: Workers, kind: str, **arguments: object) -> RunningJob:
    return ended(workers.start(Job(kind, arguments)))


def test_a_job_gets_its_arguments_and_all_settings_and_reports_progress(workers: Workers) -> None:
    job = start(workers, "echo", text="hello")
    assert (job.outcome(), job.progress) == (b"hello 7 hush-hush", 0.25)


def test_a_large_result_and_a_large_argument_arrive_whole(workers: Workers) -> None:
    assert len(set(start(workers, "large", bytes=30 * 2**20, text="x" * 2**20).outcome())) == 1
    assert len(start(workers, "large", bytes=30 * 2**20).outcome()) == 30 * 2**20


def test_an_empty_result_is_one(workers: Workers) -> None:
    assert start(workers, "large", bytes=0).outcome() == b""


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("refuse", "so says the test"),
        ("unreadable", "the log could not be read: no broker answers"),
        ("broken", r"a bug; the learner's log has the traceback \(KeyError\('x'\)\)"),
        ("unheard-of", "this Prequel has no job 'unheard-of', only echo, large"),
    ],
)
def test_an_error_is_a_sentence(workers: Workers, kind: str, sentence: str) -> None:
    job = start(workers, kind)
    with pytest.raises(JobFailed, match=sentence):
        job.outcome()
    assert job.poll()


def test_what_a_job_prints_is_no_answer(workers: Workers) -> None:
    assert start(workers, "chatty").outcome() == b"quiet"


def test_a_job_that_is_cancelled_before_it_has_begun_has_no_result(workers: Workers) -> None:
    job = workers.start(Job("echo", {"text": ""}))
    job.cancel()
    job.cancel()
    with pytest.raises(JobFailed, match="the job was cancelled"):
        ended(job).outcome()


def test_cancelling_a_job_that_has_ended_changes_nothing(workers: Workers) -> None:
    job = start(workers, "echo", text="hello")
    job.cancel()
    assert job.outcome() == b"hello 7 hush-hush"


def test_an_in_process_job_runs_within_one_poll_and_no_earlier() -> None:
    job = InProcessWorkers(KINDS, context_of(SETTINGS), polls=3).start(Job("echo", {"text": "hello"}))
    assert [(job.poll(), job.progress) for _ in range(4)] == [(False, 0), (False, 0), (True, 0.25), (True, 0.25)]


# Processes of their own.


def pid_of(file: Path) -> int:
    eventually(lambda: file.exists() and file.read_text(), "the job names its process", DEADLINE_S)
    return int(file.read_text().split()[0])


def is_gone(pid: int) -> bool:
    """Whether it has ended; one that nobody has waited for yet has ended too."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, timeout=DEADLINE_S)
    return state.stdout.strip()[:1] in ("", "Z")


def test_the_process_has_the_lowest_priority_and_one_thread(tmp_path: Path) -> None:
    job = child_processes().start(Job("endless", {"file": str(tmp_path / "pid")}))
    pid = pid_of(tmp_path / "pid")
    assert (tmp_path / "pid").read_text().split()[1:] == ["19", "1"]
    eventually(lambda: job.progress == 0.5, "the progress arrives", DEADLINE_S)
    assert not job.poll()
    job.cancel()
    assert job.poll(), "cancel waits for the end"
    assert is_gone(pid)


def test_a_process_that_is_killed_is_a_failure_and_leaves_nothing(tmp_path: Path) -> None:
    job = start(child_processes(), "killed")
    with pytest.raises(JobFailed, match="was killed, perhaps because memory was short"):
        job.outcome()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_process_ends_when_its_parent_dies(tmp_path: Path, number: int) -> None:
    program = (
        "import sys, threading; from tests.learner.replay.test_workers import child_processes, Job;"
        "child_processes().start(Job('endless', {'file': sys.argv[1]})); threading.Event().wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "pid")], cwd=ROOT)
    pid = pid_of(tmp_path / "pid")
    assert not is_gone(pid)
    parent.send_signal(number)
    parent.wait(DEADLINE_S)
    eventually(lambda: is_gone(pid), "the child ends too", DEADLINE_S)


def test_a_process_that_cannot_be_started_is_a_sentence() -> None:
    with pytest.raises(JobFailed, match="no process could be started for the job: "):
        ChildProcesses(["/nowhere/python"], {}, SETTINGS).start(Job("echo", {}))


def test_a_process_that_is_no_worker_is_a_sentence() -> None:
    workers = ChildProcesses([sys.executable, "-c", "print('hello')"], dict(os.environ), SETTINGS)
    with pytest.raises(JobFailed, match="ended without a result"):
        start(workers, "echo").outcome()


def test_no_thread_is_left_when_a_job_has_ended() -> None:
    start(child_processes(), "echo", text="")
    eventually(lambda: "job" not in [each.name for each in threading.enumerate()], "its thread ends", DEADLINE_S)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_secrets_are_neither_in_arguments_nor_in_the_environment(tmp_path: Path) -> None:
    job = child_processes().start(Job("endless", {"file": str(tmp_path / "pid")}))
    pid = pid_of(tmp_path / "pid")
    for name in ("cmdline", "environ"):
        assert b"hush-hush" not in Path(f"/proc/{pid}/{name}").read_bytes()
    job.cancel()
