"""Signals, sent to a process of their own at the worst moment."""

import fcntl
import os
import pty
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

from tests.e2e.processes import ROOT

PROGRAM = """
import signal, sys, threading
from prequel.shared.runtime.signals import stop_on_signals

lock = threading.Lock()

class Stop(threading.Event):
    def set(self):
        with lock:
            super().set()

stop = Stop()
stop_on_signals(stop)
with lock:  # as the main thread holds the event's own in the middle of stop.wait()
    signal.raise_signal(signal.SIGINT)
assert stop.wait(30)
print("finishing", flush=True)
signal.raise_signal(signal.SIGTERM)
threading.Event().wait(30)
print("still here")
"""


def test_a_signal_stops_whatever_it_interrupts_and_a_second_one_ends_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (128 + 15, "finishing\n"), done.stderr


ASKING = """
import threading
from argparse import Namespace
from prequel.services.cli.commands.gateway_client import confirmation
from prequel.shared.runtime.signals import stop_on_signals

stop_on_signals(threading.Event())
confirmation(Namespace(yes=False), None)._ask("Is that meant? ")
print("went on")
"""


@pytest.mark.parametrize(
    ("keys", "code", "output_part"), [(b"\x03", 130, b""), (b"\x04", 0, b"went on"), (b"y\n", 0, b"went on")]
)
def test_a_question_at_a_terminal_can_be_left_with_one_key(keys: bytes, code: int, output_part: bytes) -> None:
    """Ctrl-C, the end of the input, an answer."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ASKING],
        cwd=ROOT,
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(there)
    output = b""
    try:
        while b"meant? " not in output:
            output += os.read(here, 4096)
        for _ in range(30):  # A signal that comes just before the program reads is seen with the next key.
            os.write(here, keys)
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
                break
        output += os.read(here, 4096)
        assert process.returncode == code
    finally:
        process.kill()
        process.wait()
        os.close(here)
    assert output_part in output
    assert b"Traceback" not in output
