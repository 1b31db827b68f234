"""JSON logs: one object a line, whatever is logged."""

import logging
import sys

import orjson
import pytest

from prequel.shared.runtime.logs import NOISY, JsonFormatter, configure_logging


def formatted(message: str, *arguments: object, error: bool = False) -> dict[str, str]:
    info = sys.exc_info() if error else None
    record = logging.LogRecord("prequel", logging.WARNING, "file.py", 1, message, arguments, info)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found: dict[str, str] = orjson.loads(line)
    return found


@pytest.mark.parametrize("text", ["plain", 'quoted "text"\nof two lines', "\ud800 a lone surrogate", "\x00\x1b[0m"])
def test_any_message_is_one_line(text: str) -> None:
    found = formatted("the learner waits: %s", text)
    assert found["message"] == f"the learner waits: {text}".encode("utf-8", "replace").decode()
    assert (found["level"], found["logger"], found["thread"]) == ("WARNING", "prequel", "MainThread")
    assert found["time"].endswith("+00:00")


def test_an_exception_comes_with_its_stack() -> None:
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        found = formatted("stopped", error=True)
    assert "RuntimeError: boom" in found["exception"]
    assert "test_logs.py" in found["exception"]


@pytest.mark.parametrize(("level", "heard"), [("INFO", False), ("ERROR", False), ("DEBUG", True)])
def test_libraries_that_tell_of_every_retry_are_heard_at_debug_only(level: str, heard: bool) -> None:
    try:
        configure_logging(level, "text")
        told = [logging.getLogger(f"{name}.net.manager").isEnabledFor(logging.ERROR) for name in NOISY]
    finally:
        configure_logging("INFO", "text")
    assert told == [heard] * len(NOISY)
