"""Work that Ctrl-C, or the stop button of a notebook, ends after the batch in progress."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

from prequel.shared.runtime.deadlines import INTERRUPT_POLL_S

Result = TypeVar("Result")


def stoppable(work: Callable[[threading.Event], Result]) -> Result:
    """What ``work`` returns; KeyboardInterrupt sets its event, and is then ``work``'s affair.

    Python raises KeyboardInterrupt between any two instructions of the main thread: in the middle of a fold it would
    leave half an example learned. So the work has a thread of its own, which is gone on return, and no handler of
    signals is touched: they are the caller's.
    """
    stop, begin = threading.Event(), threading.Event()

    def run() -> Result:
        begin.wait()  # Until the caller knows of it, and can wait for its end.
        return work(stop)

    running: Future[Result] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="prequel") as executor:
        executor.submit(int).result()  # The thread is there before its work: Ctrl-C in its start has nothing to end.
        try:
            # In the caller's context, which says to which cell of a notebook the output belongs.
            running = executor.submit(copy_context().run, run)
            begin.set()
            while not running.done():
                wait([running], INTERRUPT_POLL_S)
        except KeyboardInterrupt:
            stop.set()
            begin.set()
            if running is None:
                raise
        return running.result()
