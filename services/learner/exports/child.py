"""The process of one export: it reads from standard input what to export, and writes that to standard output.

A fold beside a gateway's requests would keep them waiting: Python runs one thread at a time.
"""

import logging
from typing import IO

import orjson
from pydantic import ValidationError

from prequel.services.learner.exports.current_stream import check_not_deleted, read_stream
from prequel.services.learner.exports.export import check, export
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.replay.jobs.child import OpenContext, begin
from prequel.shared.config import ConfigError, Settings
from prequel.shared.exports import ExportFailed, ExportRequest, encode_failure, encode_frame
from prequel.shared.log.base import LogUnavailable
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.tables.opening import TableFormatMissing, check_format

FRAME_BYTES = 256 * 2**10
"""Bytes that are sent together. With a tenth, the gateway's event loop has ten times the work; with ten times as many,
a slow client waits longer for the first."""

logger = logging.getLogger(__name__)


def run(open_context: OpenContext) -> int:
    """Make the export of standard input; the exit code. What is written is described in shared/exports.py."""
    order, output = begin()
    if not order:
        return 1
    try:
        _make(orjson.loads(order), open_context, FrameSink(output))
    except ExportFailed as error:
        output.write(encode_failure(error))
        output.flush()
        return 1
    return 0


def _make(order: dict[str, object], open_context: OpenContext, sink: "FrameSink") -> None:
    """Raises ExportFailed and nothing else."""
    try:
        request = ExportRequest.model_validate(order["request"])
        with open_context(Settings.model_validate(order["settings"])) as context:
            check_format(request.format)
            current = read_stream(context, request.stream)
            check(current, request)
            sink.begin(current.head.model_dump_json().encode())
            export(current, request, context, sink)
            check_not_deleted(current)
            sink.end()
    except (LogUnavailable, StoreUnavailable, ConfigError, ValidationError, UnknownModel) as error:
        raise ExportFailed(str(error)) from error
    except TableFormatMissing as error:
        raise ExportFailed(str(error), 501) from error
    except MemoryError as error:
        raise ExportFailed("the export needed more memory than there is") from error
    except OSError as error:
        raise ExportFailed(f"the export could not be made where the gateway runs: {error}") from error
    except ExportFailed:
        raise
    except Exception as error:
        logger.exception("an export failed")
        raise ExportFailed(f"a bug; the gateway's log has the traceback ({error!r})", 500) from error


class FrameSink:
    """A sink that sends what it gets in frames."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output, self._buffer = output, bytearray()

    def begin(self, head: bytes) -> None:
        """Send what comes before everything, at once."""
        self.write(head)
        self._send()

    def write(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= FRAME_BYTES:
            self._send()

    def end(self) -> None:
        """Send what is left, and that it is all."""
        self._send()
        self._output.write(encode_frame(b""))
        self._output.flush()

    def _send(self) -> None:
        for sent in range(0, len(self._buffer), FRAME_BYTES):
            self._output.write(encode_frame(bytes(self._buffer[sent : sent + FRAME_BYTES])))
        self._buffer.clear()
        self._output.flush()
