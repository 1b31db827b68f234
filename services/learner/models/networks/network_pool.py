"""Compiled Keras networks, each lent to one model at a time, and to the next of its shape once that model is gone."""

import weakref
from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Any

MAX_IDLE = 4
"""Networks of one shape that are kept for models to come. A learner that replaces a model makes the new one while it
still has the old one, for each stream in turn, so that few are idle at once; each holds megabytes."""


class NetworkPool:
    """Networks by what they are made of: to compile the steps of one takes 0.2 to 0.7 s, and its first model pays.

    What a network holds is its last model's: whoever is lent one sets all weights and all that its optimiser keeps.
    """

    def __init__(self) -> None:
        self._idle: defaultdict[Hashable, list[Any]] = defaultdict(list)

    def lend(self, borrower: object, shape: Hashable, compiled: Callable[[], Any]) -> Any:
        """An idle network of this shape, or else a ``compiled`` one; it is idle again when ``borrower`` is deleted."""
        try:
            network = self._idle[shape].pop()
        except IndexError:
            network = compiled()
        weakref.finalize(borrower, self._take_back, shape, network).atexit = False
        return network

    def _take_back(self, shape: Hashable, network: Any) -> None:
        if len(self._idle[shape]) < MAX_IDLE:
            self._idle[shape].append(network)


POOL = NetworkPool()
"""Of this process: shapes and compiled code, nothing that was learned."""
