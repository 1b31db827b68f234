"""Kinds of jobs for tests, and the process that does them: `python -m tests.learner.replay.job_kinds`."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prequel.services.learner.replay.jobs import child
from prequel.services.learner.replay.jobs.base import Job, JobContext, JobFailed, JobFunction, Report
from prequel.shared.config import Settings
from prequel.shared.log.base import LogUnavailable
from tests.learner.building import Registry


def echo(job: Job, context: JobContext, report: Report) -> bytes:
    report(1, 4)
    return (
        f"{job.arguments['text']} {context.settings.seed} {context.settings.snapshot_key.get_secret_value()}".encode()
    )


def large(job: Job, context: JobContext, report: Report) -> bytes:
    return os.urandom(1) * int(job.arguments["bytes"])


def refuse(job: Job, context: JobContext, report: Report) -> bytes:
    raise JobFailed("so says the test")


def unreadable(job: Job, context: JobContext, report: Report) -> bytes:
    raise LogUnavailable("no broker answers")


def broken(job: Job, context: JobContext, report: Report) -> bytes:
    raise KeyError("x")


def chatty(job: Job, context: JobContext, report: Report) -> bytes:
    """What is printed, by Python or by a library in C, must not be taken for an answer."""
    print("chatter", flush=True)
    os.write(1, b"more chatter\n")
    return b"quiet"


def endless(job: Job, context: JobContext, report: Report) -> bytes:
    """Names its process in a file, and never ends by itself."""
    report(1, 2)
    Path(job.arguments["file"]).write_text(f"{os.getpid()} {os.nice(0)} {os.environ.get('OMP_NUM_THREADS')}")
    threading.Event().wait()
    return b""


def killed(job: Job, context: JobContext, report: Report) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


KINDS: Mapping[str, JobFunction] = {
    "echo": echo,
    "large": large,
    "refuse": refuse,
    "unreadable": unreadable,
    "broken": broken,
    "chatty": chatty,
    "endless": endless,
    "killed": killed,
}


def context_of(settings: Settings) -> JobContext:
    """Without log and store, which these jobs leave alone."""
    return JobContext(settings=settings, log=None, store=None, registry=Registry())  # type: ignore[arg-type]


@contextmanager
def open_context(settings: Settings) -> Iterator[JobContext]:
    yield context_of(settings)


if __name__ == "__main__":
    sys.exit(child.run(KINDS, open_context))
