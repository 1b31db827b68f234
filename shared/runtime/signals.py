"""Signals: the first SIGINT or SIGTERM asks a process to finish, the second ends it at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue


def stop_on_signals(stop: threading.Event) -> None:
    """From now on a first signal sets ``stop``, and a second one ends the process. To be called by the main thread.

    A handler runs between any two instructions of the main thread, even while that holds the lock inside ``stop``:
    setting it in the handler could then deadlock. So the handler only puts the number into a SimpleQueue, the one queue
    whose ``put`` is reentrant, and a thread does the rest.
    """
    arrived: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_handle, args=(arrived, stop), name="signals", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: arrived.put(number))


@contextmanager
def ending_signals() -> Iterator[None]:
    """Until the end of the block the first signal ends the process: SIGINT raises KeyboardInterrupt, SIGTERM kills.

    For a question at the terminal, which would go on waiting for its answer. To be called by the main thread.
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


def _handle(arrived: "SimpleQueue[int]", stop: threading.Event) -> None:
    while True:
        number = arrived.get()
        if stop.is_set():
            os._exit(128 + number)  # Not sys.exit: that only ends this thread.
        stop.set()
