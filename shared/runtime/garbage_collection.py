"""How often Python's garbage collector looks for objects that refer to one another in circles, and that it does."""

import gc
import threading
import time

from prequel.shared.runtime.deadlines import COLLECTION_POLL_S

YOUNG_OBJECTS = 10_000
"""Objects made since the collector last looked, when it looks again. A batch of 512 examples makes several thousand
that live until it is answered. After 700, as Python has it, nearly all of them would be met alive and count as old, and
for these all objects of the process would be looked through every few thousand examples: a sixth of the fold's time.
Ten times as many would make nothing faster, and what refers to itself in circles, tracebacks mostly, would stay."""


def collect_less_often() -> None:
    """Let the collector look as often as YOUNG_OBJECTS says, in all of this process."""
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


def collect_everything() -> None:
    """Free all that nothing refers to any more, but from circles of its own.

    ``gc.collect`` alone may do nothing: while another thread collects, and has perhaps passed what is to be freed
    already, it returns at once. Blocks until that thread is done, then collects. Not for finalizers: one runs within
    a collection, and would wait for itself.
    """
    while not _collect():
        time.sleep(COLLECTION_POLL_S)


def _collect() -> bool:
    """Whether this thread did look through all objects, which the collector tells its callbacks."""
    this_thread = threading.get_ident()
    looked = False

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal looked
        looked |= phase == "start" and info["generation"] == 2 and threading.get_ident() == this_thread

    gc.callbacks.append(note)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(note)
    return looked
