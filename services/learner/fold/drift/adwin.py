"""ADWIN: a drift detector whose window shrinks when the newer part of it differs from the older one."""

from typing import Any

import numpy as np

from prequel.services.learner.kernels.adwin import MAX_BUCKETS, MAX_ROWS, update_adwin

Numbers = dict[str, Any]
"""A detector's state, as JSON holds it."""


class Adwin:
    """Adaptive windowing: drops the older part of its window when its mean differs from the newer part's.

    ``delta`` is the probability of a false alarm that each comparison allows, 0 to 1. Source: Bifet & Gavalda,
    "Learning from time-changing data with adaptive windowing", SDM 2007, with the choices of ``river.drift.ADWIN``:
    it looks for a change every 32 values, has at most 5 buckets of a size, and compares at least 5 values on either
    side. Values are numbers of any scale; here errors, 0 or 1. See ``kernels.adwin`` for how.

    >>> adwin = Adwin()
    >>> changes = [at for at in range(400) if adwin.update(float(at >= 200))]
    >>> changes[0], adwin.rose, adwin.width < 400
    (223, True, True)
    """

    def __init__(self, delta: float = 0.002) -> None:
        self._delta = delta
        self._buckets = np.zeros((2, MAX_ROWS, MAX_BUCKETS + 1))
        self._filled = np.zeros(MAX_ROWS, np.int64)
        self._counts, self._sums = np.zeros(2, np.int64), np.zeros(2)
        self.rose = False
        """Whether the change found last was a rise."""

    def update(self, value: float) -> bool:
        """Take one value in; whether a change was found (the window is then already the newer part)."""
        change = update_adwin(value, self._delta, self._buckets, self._filled, self._counts, self._sums)
        if change:
            self.rose = change > 0
        return change != 0

    @property
    def width(self) -> int:
        """How many values the window has."""
        return int(self._counts[1])

    def numbers(self) -> Numbers:
        """The state, as a snapshot stores it; ``from_numbers`` is its inverse."""
        rows = [
            [self._buckets[:, row, number].tolist() for number in range(filled)]
            for row, filled in enumerate(self._filled.tolist())
        ]
        while len(rows) > 1 and not rows[-1]:
            rows.pop()
        total, variance = self._sums.tolist()
        return {"rows": rows, "ticks": int(self._counts[0]), "total": total, "variance": variance}

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> "Adwin":
        """The inverse of ``numbers``."""
        self = cls()
        for row, buckets in enumerate(numbers["rows"]):
            self._filled[row] = len(buckets)
            self._buckets[:, row, : len(buckets)] = np.array(buckets).reshape(-1, 2).T
        width = int((self._filled * 2 ** np.arange(MAX_ROWS)).sum())
        self._counts[:], self._sums[:] = (numbers["ticks"], width), (numbers["total"], numbers["variance"])
        return self


def compile() -> None:
    """Load the kernel from the cache on disk, or compile it into it, so that no event has to wait."""
    Adwin().update(0.0)
