"""Signals: the first SIGINT or SIGTERM asks a process to finish, the second ends it at once."""

import os
import signal
import threading
from queue import SimpleQueue


def stop_on_signals(stop: threading.Event) -> None:
    """From now on a signal sets ``stop``, and one that finds it set ends the process. For the main thread only.

    A handler runs between any two instructions of the main thread, also while that holds the lock inside ``stop``:
    setting it there could wait for ever. So the handler only queues the number, in the one queue whose ``put`` may
    interrupt another, and a thread does the rest.
    """
    arrived: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_obey, args=(arrived, stop), name="signals", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: arrived.put(number))


def _obey(arrived: "SimpleQueue[int]", stop: threading.Event) -> None:
    while True:
        number = arrived.get()
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
