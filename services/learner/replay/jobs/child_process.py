"""Jobs in processes of their own, of low priority: started, followed and killed by the learner's process."""

import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

import orjson
from pydantic import SecretStr

from prequel.services.learner.replay.jobs.base import Job, JobFailed, result
from prequel.shared.config import Settings
from prequel.shared.runtime.deadlines import JOB_KILL_S

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
"""A replay takes one core, so that the others are the live services'. Results do not depend on it: the fold's matrices
are multiplied by one thread anyway."""


class ChildProcesses:
    """Each job is one run of ``command``, which reads it from standard input: see child.py.

    ``environ`` is the environment of the process. The settings are not in it, secrets would be seen by whoever lists
    environments: they go through standard input too.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], settings: Settings) -> None:
        self._command, self._environ, self._settings = list(command), {**environ, **ONE_THREAD}, settings

    def start(self, job: Job) -> "ChildJob":
        order = orjson.dumps({"kind": job.kind, "arguments": job.arguments, "settings": plain(self._settings)})
        try:
            # A group of its own: Ctrl-C at the terminal is for this process, which ends the child by itself. But not a
            # session: Linux may share time out between sessions first, whatever the priorities inside them.
            process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,
            )
        except OSError as error:
            raise JobFailed(f"no process could be started for the job: {error}") from error
        return ChildJob(process, order + b"\n")


class ChildJob:
    """One process. A thread writes its job to it and reads what it reports; it ends with the process.

    Standard input stays open until the end: when this process dies, however it dies, the child reads its end there, and
    ends too.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", order: bytes) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._outcome: bytes | JobFailed | None = None
        self._cancelled = False
        self.progress = 0.0
        self._thread = threading.Thread(target=self._follow, args=(order,), name="job", daemon=True)
        self._thread.start()

    def poll(self) -> bool:
        return self._outcome is not None

    def outcome(self) -> bytes:
        return result(self._outcome)

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = self._outcome is None
            if self._cancelled:
                self._process.kill()
        # It is dead within milliseconds: whoever cancels and starts another one never has two at a time.
        self._thread.join(JOB_KILL_S)

    def _follow(self, order: bytes) -> None:
        """On the thread: all of the conversation, and then the end."""
        outcome = self._converse(order)
        code = self._end(kill=outcome is not None)
        with self._lock:
            if self._cancelled:
                outcome = JobFailed("the job was cancelled")
            self._outcome = _ended_early(code) if outcome is None else outcome

    def _end(self, *, kill: bool) -> int:
        """The exit code of the process, which has closed its output, or has nothing left to do: then ``kill`` it."""
        process = self._process
        try:
            if kill:
                process.kill()
            return process.wait(JOB_KILL_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    assert pipe is not None
                    pipe.close()

    def _converse(self, order: bytes) -> bytes | JobFailed | None:
        """What the process sends last: its result, or an error; None where it ends without either."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(order)
            stdin.flush()
            for line in stdout:
                message = orjson.loads(line)
                if "result" in message:
                    made = stdout.read(message["result"])
                    return made if len(made) == message["result"] else None
                if "error" in message:
                    return JobFailed(message["error"])
                self.progress = message["progress"]
        except (OSError, orjson.JSONDecodeError):
            pass  # It was killed, perhaps in the middle of a line.
        return None


def plain(settings: Settings) -> dict[str, int | float | str]:
    """The settings as JSON can hold them, secrets included; ``Settings.model_validate`` is the inverse."""
    return {name: _plain(getattr(settings, name)) for name in Settings.model_fields}


def _plain(value: object) -> int | float | str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value if isinstance(value, int | float | str) else str(value)


def _ended_early(code: int) -> JobFailed:
    if code == -signal.SIGKILL:
        return JobFailed("the process of the job was killed, perhaps because memory was short")
    if code < 0:
        return JobFailed(f"the process of the job was ended by signal {-code} ({signal.strsignal(-code)})")
    return JobFailed(f"the process of the job ended without a result (exit code {code}); the learner's log says more")
