"""How often Python's garbage collector looks for objects that refer to one another in circles."""

import gc

YOUNG_OBJECTS = 10_000
"""Objects made since the collector last looked, when it looks again. A batch of 512 examples makes several thousand
that live until it is answered. After 700, as Python has it, nearly all of them would be met alive and count as old, and
for these all objects of the process would be looked through every few thousand examples: a sixth of the fold's time.
Ten times as many would make nothing faster, and what refers to itself in circles, tracebacks mostly, would stay."""


def collect_less_often() -> None:
    """Let the collector look as often as YOUNG_OBJECTS says, in all of this process."""
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
