"""A process that makes one export, as the gateway starts it, reads it and ends it."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import orjson

from prequel.shared.exports import ExportFailed, ExportRequest, read_frame
from prequel.shared.runtime.deadlines import JOB_KILL_S


class ExportProcess:
    """``command`` reads what to export from standard input, and writes frames: see shared/exports.py.

    Its settings, secrets among them, come the same way: environments can be seen by others. Standard input stays open:
    when this process dies, however it dies, the other one reads its end there, and ends too.
    """

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], settings: Mapping[str, object], request: ExportRequest
    ) -> None:
        """Starts it. Raises ExportFailed where no process can be started now."""
        try:
            # A group of its own: Ctrl-C at the terminal is for this process, which ends the other by itself.
            self._process = subprocess.Popen(
                command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
            )
        except OSError as error:
            raise ExportFailed(f"no process could be started for the export: {error}") from error
        assert self._process.stdin is not None
        with suppress(OSError):  # It has ended already; then the first frame says so.
            self._process.stdin.write(
                orjson.dumps({"request": request.model_dump(), "settings": dict(settings)}) + b"\n"
            )
            self._process.stdin.flush()

    def read(self) -> bytes:
        """The next frame; empty at the end. Blocks until it is there. Raises ExportFailed."""
        assert self._process.stdout is not None
        return read_frame(self._process.stdout)

    def kill(self) -> None:
        """End it, whatever it is doing: ``read`` fails then. Does not block. Call ``reap`` later."""
        with suppress(OSError):
            self._process.kill()

    def reap(self) -> None:
        """Wait for the end of the process, for milliseconds after ``kill``, and close its pipes."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(JOB_KILL_S)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()


StartExport = Callable[[ExportRequest], ExportProcess]
"""Starts the process of an export. Raises ExportFailed."""


def no_exports(request: ExportRequest) -> ExportProcess:
    """For a gateway that was given nothing to start."""
    raise ExportFailed(f"{request.what} cannot be exported by this gateway: it was started without its processes", 501)
