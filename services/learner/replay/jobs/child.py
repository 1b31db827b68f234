"""The other side: a process that reads one job from standard input, does it, and ends with its result."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import ValidationError

from prequel.services.learner.replay.jobs.base import Job, JobContext, JobFailed, JobFunction
from prequel.services.learner.replay.jobs.running import run_job
from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import LogUnavailable
from prequel.shared.store.base import StoreUnavailable

NICENESS = 19
"""The lowest priority that there is: a replay gets what the live services leave over."""

KILL_FIRST = "1000"
"""Where memory ends, Linux is to kill the replay, which can be started again, and not the learner."""

OpenContext = Callable[[Settings], AbstractContextManager[JobContext]]
"""Opens log and store by the settings, and closes them."""


def run(kinds: Mapping[str, JobFunction], open_context: OpenContext) -> int:
    """Do the job of standard input; the exit code.

    Standard output gets a JSON object a line: ``{"progress": 0.5}``, and at the end ``{"error": sentence}``, or
    ``{"result": n}`` and n bytes. Whatever else is printed here goes to standard error.
    """
    order, output = begin()
    if not order:
        return 1
    try:
        result = _do(orjson.loads(order), kinds, open_context, output)
    except JobFailed as error:
        _send(output, {"error": str(error)})
        return 1
    _send(output, {"result": len(result)}, result)
    return 0


def begin() -> tuple[bytes, IO[bytes]]:
    """What a process like this does first: the line that says what is asked for, and where its answer goes.

    The line is empty where the parent has died before it could say anything. Blocks until it comes.
    """
    _step_back()
    output = _take_standard_output()
    order = sys.stdin.buffer.readline()
    if order:
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    return order, output


def _do(order: dict[str, Any], kinds: Mapping[str, JobFunction], open_context: OpenContext, output: IO[bytes]) -> bytes:
    def report(done: int, total: int) -> None:
        _send(output, {"progress": min(1.0, done / total) if total else 0.0})

    try:
        with open_context(Settings.model_validate(order["settings"])) as context:
            return run_job(kinds, Job(order["kind"], order["arguments"]), context, report)
    except (ConfigError, ValidationError, LogUnavailable, StoreUnavailable) as error:
        raise JobFailed(str(error)) from error


def _step_back() -> None:
    """Give this process the lowest priority, for time and for memory."""
    os.nice(NICENESS)
    with suppress(OSError):  # Not Linux, or a container that does not allow it.
        Path("/proc/self/oom_score_adj").write_text(KILL_FIRST)


def _take_standard_output() -> IO[bytes]:
    """Standard output for the learner alone: what libraries print would be taken for an answer."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own


def _send(output: IO[bytes], message: Mapping[str, object], content: bytes = b"") -> None:
    output.write(orjson.dumps(message) + b"\n" + content)
    output.flush()


def _end_with_parent() -> None:
    """Nothing comes after the job but the end of file, when the learner's process has died. Nobody needs a result then.

    Not through ``sys.stdin``: a thread that waits inside it keeps Python from ending.
    """
    while os.read(0, 4096):
        pass
    os._exit(1)
