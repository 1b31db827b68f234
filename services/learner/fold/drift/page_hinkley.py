"""Page-Hinkley: a cumulative test of whether the mean of a sequence has changed."""

import math
from collections.abc import Sequence

from prequel.services.learner.fold.drift.adwin import Numbers

_START = (0.0, 0.0, 0.0, 0.0, math.inf, -1.0)
"""Count, mean, sum of increases, sum of decreases, smallest sum of increases, largest sum of decreases."""


class PageHinkley:
    """A two-sided cumulative test of the mean, as ``river.drift.PageHinkley`` has it.

    It takes at least 30 values, allows the mean to move by 0.005 without counting it, and finds a change when the
    counted moves exceed 50; older moves fade by 0.0001 a value. Source: Page, "Continuous inspection schemes",
    Biometrika 41 (1954).

    >>> test = PageHinkley()
    >>> next(at for at in range(400) if test.update(float(at >= 200)))
    257
    >>> test.rose
    True
    """

    MIN_VALUES, DELTA, THRESHOLD, ALPHA = 30, 0.005, 50.0, 1 - 0.0001
    """River's own, so that it can be the tests' oracle."""

    def __init__(self) -> None:
        self._values: Sequence[float] = _START
        self.rose = False
        """Whether the change found last was a rise."""

    def update(self, value: float) -> bool:
        """Take one value in; whether the mean has changed (the test then starts again)."""
        count, mean, up, down, smallest, largest = self._values
        count += 1
        mean += (value - mean) / count
        up = self.ALPHA * up + (value - mean) - self.DELTA
        down = self.ALPHA * down + (value - mean) + self.DELTA
        smallest, largest = up if up < smallest else smallest, down if down > largest else largest
        self.rose = up - smallest > self.THRESHOLD
        changed = count >= self.MIN_VALUES and (self.rose or largest - down > self.THRESHOLD)
        self._values = _START if changed else (count, mean, up, down, smallest, largest)
        return changed

    def numbers(self) -> Numbers:
        """The state, as a snapshot stores it; ``from_numbers`` is its inverse."""
        return {"values": [None if math.isinf(value) else value for value in self._values]}

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> "PageHinkley":
        """The inverse of ``numbers``."""
        self = cls()
        self._values = tuple(math.inf if value is None else value for value in numbers["values"])
        return self
