"""The exports that run for this gateway's clients: a few at a time, each ended when its client goes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from prequel.services.gateway.export_process import ExportProcess, StartExport
from prequel.shared.exports import ExportFailed, ExportHead, ExportRequest
from prequel.shared.runtime.deadlines import EXPORT_READER_S, EXPORT_START_S

Result = TypeVar("Result")

MAX_EXPORTS = 2
"""At one time. Each is a process of some hundred megabytes that reads the log as fast as it can: with four, a small
machine would have no memory left for new images."""
STOPPING = "the gateway is stopping: ask again once it, or another, runs"

logger = logging.getLogger(__name__)


class Exports:
    """Call it on the event loop; processes are started and read on threads.

    ``reader_s`` is how long a client may take for one piece.
    """

    def __init__(self, start: StartExport, reader_s: float = EXPORT_READER_S) -> None:
        self._start, self.reader_s = start, reader_s
        self._threads = ThreadPoolExecutor(MAX_EXPORTS + 1, "gateway-exports")
        self._running = set["Export"]()
        self._starting = 0
        self._ended = False

    async def open(self, request: ExportRequest) -> "Export":
        """Start one, up to its head. To be closed. Raises ExportFailed."""
        if len(self._running) + self._starting >= MAX_EXPORTS:
            raise ExportFailed(f"{MAX_EXPORTS} exports run here already: ask again when one is done")
        self._starting += 1
        try:
            process = await self._call(partial(self._start, request))
        finally:
            self._starting -= 1
        export = Export(self, process, request)
        self._running.add(export)
        try:
            async with asyncio.timeout(EXPORT_START_S):
                await export.read_head()
        except TimeoutError:
            export.close()
            raise ExportFailed(f"the export has not begun within {EXPORT_START_S:g} s: ask again") from None
        except BaseException:
            export.close()
            raise
        return export

    def end(self) -> None:
        """End all that run, and start no more: the gateway is about to stop."""
        self._ended = True
        for export in list(self._running):
            export.close()

    def close(self) -> None:
        self.end()
        self._threads.shutdown(wait=False)

    async def _call(self, function: "partial[Result]") -> Result:
        if self._ended:
            raise ExportFailed(STOPPING)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function)
        except ExportFailed:
            if self._ended:
                raise ExportFailed(STOPPING) from None
            raise

    def _closed(self, export: "Export", process: ExportProcess) -> None:
        if export in self._running:
            self._running.remove(export)
            process.kill()
            self._threads.submit(process.reap)


class Export:
    """One that runs."""

    def __init__(self, exports: Exports, process: ExportProcess, request: ExportRequest) -> None:
        self._exports, self._process, self.request = exports, process, request
        self.head: ExportHead

    async def read_head(self) -> None:
        """Raises ExportFailed."""
        self.head = ExportHead.model_validate_json(await self._next())

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes of the export. Raises ExportFailed: what came before is then not all."""
        while piece := await self._next():
            yield piece

    @asynccontextmanager
    async def taken_in_time(self) -> AsyncIterator[None]:
        """While the client takes one piece. Raises ExportFailed where it does not: others wait for its place."""
        try:
            async with asyncio.timeout(self._exports.reader_s):
                yield
        except TimeoutError:
            raise ExportFailed(f"its client has taken nothing for {self._exports.reader_s:g} s") from None

    def close(self) -> None:
        """End it, done or not. May be called again."""
        self._exports._closed(self, self._process)

    async def _next(self) -> bytes:
        return await self._exports._call(partial(self._process.read))
