"""A garbage collection of another thread, for as long as a test wants it to take."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Slow:
    """Garbage whose finalizer, and with it the collection that finds it, takes until ``end``."""

    def __init__(self, began: threading.Event, end: threading.Event) -> None:
        self.began, self.end, self.itself = began, end, self

    def __del__(self) -> None:
        self.began.set()
        self.end.wait(60)


@contextmanager
def another_collection() -> Iterator[Callable[[], None]]:
    """It runs until what is yielded is called, or the block ends. No other thread may begin one before it."""
    began, end = threading.Event(), threading.Event()
    _Slow(began, end)
    thread = threading.Thread(target=gc.collect)
    thread.start()
    try:
        assert began.wait(60)
        yield end.set
    finally:
        end.set()
        thread.join()
