"""JSON logs: one object a line, whatever is logged."""

import logging
import subprocess
import sys

import orjson
import pytest

from prequel.shared.runtime.logs import NOISY, JsonFormatter


def formatted(message: str, *arguments: object, error: bool = False) -> dict[str, str]:
    info = sys.exc_info() if error else None
    record = logging.LogRecord("prequel", logging.WARNING, "file.py", 1, message, arguments, info)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    fields: dict[str, str] = orjson.loads(line)
    return fields


@pytest.mark.parametrize("text", ["plain", 'quoted "text"\nof two lines', "\ud800 a lone surrogate", "\x00\x1b[0m"])
def test_any_message_is_one_line(text: str) -> None:
    fields = formatted("the learner waits: %s", text)
    assert fields["message"] == f"the learner waits: {text}".encode("utf-8", "replace").decode()
    assert (fields["level"], fields["logger"], fields["thread"]) == ("WARNING", "prequel", "MainThread")
    assert fields["time"].endswith("+00:00")


def test_an_exception_has_its_traceback() -> None:
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        fields = formatted("stopped", error=True)
    assert "RuntimeError: boom" in fields["exception"]
    assert "test_logs.py" in fields["exception"]


@pytest.mark.parametrize(("level", "shown"), [("INFO", False), ("ERROR", False), ("DEBUG", True)])
def test_libraries_that_log_every_retry_are_shown_at_debug_only(level: str, shown: bool) -> None:
    # A process of its own: in this one other tests may have made a client of Kafka, which sets levels for good.
    program = (
        "import logging, sys; from prequel.shared.runtime.logs import NOISY, configure_logging;"
        "configure_logging(sys.argv[1], 'text');"
        "print([logging.getLogger(f'{name}.net.manager').isEnabledFor(logging.ERROR) for name in NOISY])"
    )
    done = subprocess.run([sys.executable, "-c", program, level], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([shown] * len(NOISY))
