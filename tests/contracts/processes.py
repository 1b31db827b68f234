"""Starts, pauses and kills the other processes of the contract tests."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """A job in a process of its own (see tests.contracts.worker); the test can wait for the lines that it prints."""

    def __init__(self, source: str, job: str, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.contracts.worker", source, job, json.dumps(arguments)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._lines: Queue[str | None] = Queue()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def next_line(self, within_s: float) -> list[Any] | None:
        """The next line; None at the end of the output. Fails the test where nothing comes in time."""
        try:
            line = self._lines.get(timeout=within_s)
        except Empty:
            pytest.fail(f"the other process printed nothing for {within_s} s")
        return None if line is None else list(json.loads(line))

    def remaining_lines(self, within_s: float) -> list[list[Any]]:
        """All lines up to the end of the output."""
        lines = []
        while (line := self.next_line(within_s)) is not None:
            lines.append(line)
        return lines

    def wait(self, within_s: float) -> int:
        return self._process.wait(within_s)

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, whatever the state. May be called again."""
        self._process.kill()
        self._process.wait()
        self._reading.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def worker(source: str, job: str, *arguments: object) -> Iterator[Worker]:
    started = Worker(source, job, *arguments)
    try:
        yield started
    finally:
        started.kill()


def eventually(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Call ``condition``, which itself waits a little, until it is true; fails the test after ``within_s``."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {within_s} s")
