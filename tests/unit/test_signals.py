"""Signals, sent to a process of their own at the worst moment."""

import subprocess
import sys

from tests.e2e.processes import ROOT

PROGRAM = """
import signal, sys, threading
from shared.signals import stop_on_signals

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
