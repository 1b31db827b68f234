"""Work that Ctrl-C, or the stop button of a notebook, ends after the batch in progress."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Result = TypeVar("Result")


def stoppable(work: Callable[[threading.Event], Result]) -> Result:
    """What ``work`` returns; KeyboardInterrupt sets its event, and is then ``work``'s affair.

    Python raises KeyboardInterrupt between any two instructions of the main thread: in the middle of a fold it would
    leave half an example learned. So the work has a thread of its own, which is gone on return, and no handler of
    signals is touched: they are the caller's.
    """
    stop = threading.Event()
    running: Future[Result] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="prequel") as executor:
        executor.submit(int).result()  # The thread is there before its work: Ctrl-C in its start has nothing to end.
        try:
            # In the caller's context, which says to which cell of a notebook the output belongs.
            running = executor.submit(copy_context().run, work, stop)
            return running.result()
        except KeyboardInterrupt:
            stop.set()
            if running is None:
                raise
            return running.result()
