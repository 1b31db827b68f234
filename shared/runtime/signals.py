"""Signals: the first SIGINT or SIGTERM asks a process to finish, the second ends it at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def ending_signals() -> Iterator[None]:
    """Meanwhile the first signal ends what the main thread does: SIGINT raises KeyboardInterrupt, SIGTERM kills.

    For a question at the terminal, which would otherwise wait on. For the main thread only.
    """
    replaced = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    }
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _obey(arrived: "SimpleQueue[int]", stop: threading.Event) -> None:
    while True:
        number = arrived.get()
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
