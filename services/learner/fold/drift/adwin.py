"""ADWIN: a drift detector whose window shrinks when the newer part of it differs from the older one."""

import math
from typing import Any

Numbers = dict[str, Any]
"""A detector's state, as JSON holds it."""


class Adwin:
    """Adaptive windowing: drops the older part of its window when its mean differs from the newer part's.

    ``delta`` is the probability of a false alarm that each comparison allows, 0 to 1. Source: Bifet & Gavalda,
    "Learning from time-changing data with adaptive windowing", SDM 2007, with the choices of ``river.drift.ADWIN``:
    it looks for a change every 32 values, has at most 5 buckets of a size, and compares at least 5 values on either
    side. Values are numbers of any scale; here errors, 0 or 1.

    >>> adwin = Adwin()
    >>> changes = [at for at in range(400) if adwin.update(float(at >= 200))]
    >>> changes[0], adwin.width < 400
    (223, True)
    """

    CLOCK, MAX_BUCKETS, MIN_VALUES, GRACE = 32, 5, 5, 10
    """River's own, so that it can be the tests' oracle: a detector with others would find other changes."""

    def __init__(self, delta: float = 0.002) -> None:
        self._delta = delta
        self._rows: list[list[tuple[float, float]]] = [[]]
        """Row r: buckets of 2**r values, oldest first, each (total, variance times its size)."""
        self._ticks = self.width = 0
        self._total = self._variance = 0.0

    def update(self, value: float) -> bool:
        """Take one value in; whether a change was found (the window is then already the newer part)."""
        self._insert(value)
        self._compress()
        self._ticks += 1
        changed = False
        if self._ticks % self.CLOCK == 0 and self.width > self.GRACE:
            while self._cut():
                changed = True
        return changed

    @property
    def mean(self) -> float:
        """Mean of the values in the window; 0 for an empty one."""
        return self._total / self.width if self.width else 0.0

    def _insert(self, value: float) -> None:
        if self.width:
            self._variance += self.width * (value - self._total / self.width) ** 2 / (self.width + 1)
        self._rows[0].append((value, 0.0))
        self.width += 1
        self._total += value

    def _compress(self) -> None:
        """Two oldest buckets of a size become one of twice that size, where there are too many."""
        row = 0
        while len(self._rows[row]) > self.MAX_BUCKETS:
            (first, first_variance), (second, second_variance) = self._rows[row][:2]
            del self._rows[row][:2]
            if row + 1 == len(self._rows):
                self._rows.append([])
            size = 2.0**row
            between = size * size * (first / size - second / size) ** 2 / (size + size)
            self._rows[row + 1].append((first + second, first_variance + second_variance + between))
            row += 1

    def _cut(self) -> bool:
        """Drop the oldest bucket if some split of the window shows a change."""
        older, older_total = 0, 0.0
        newer, newer_total = self.width, self._total
        for row in range(len(self._rows) - 1, -1, -1):
            size = 2**row
            for number, (total, _) in enumerate(self._rows[row]):
                older, older_total = older + size, older_total + total
                newer, newer_total = newer - size, newer_total - total
                if row == 0 and number == len(self._rows[0]) - 1:
                    return False
                if min(older, newer) >= self.MIN_VALUES and self._differs(older, older_total, newer, newer_total):
                    self._drop_oldest()
                    return True
        return False

    def _differs(self, older: int, older_total: float, newer: int, newer_total: float) -> bool:
        """Whether two parts' means are further apart than chance allows (equation 3.1 of the paper)."""
        confidence = math.log(2 * math.log(self.width) / self._delta)
        inverse = 1.0 / (older - self.MIN_VALUES + 1) + 1.0 / (newer - self.MIN_VALUES + 1)
        variance = self._variance / self.width
        if variance < 0:
            return False  # Rounding, where all values are equal; River's comparison with a NaN says the same.
        bound = math.sqrt(2 * inverse * variance * confidence) + 2 / 3 * confidence * inverse
        return abs(older_total / older - newer_total / newer) > bound

    def _drop_oldest(self) -> None:
        row = len(self._rows) - 1
        size = 2**row
        total, variance = self._rows[row].pop(0)
        self.width -= size
        self._total -= total
        if self.width:
            between = size * self.width * (total / size - self.mean) ** 2 / (size + self.width)
            self._variance -= variance + between
        while len(self._rows) > 1 and not self._rows[-1]:
            self._rows.pop()

    def numbers(self) -> Numbers:
        """The state, as a snapshot stores it; ``from_numbers`` is its inverse."""
        return {"rows": self._rows, "ticks": self._ticks, "total": self._total, "variance": self._variance}

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> "Adwin":
        """The inverse of ``numbers``."""
        self = cls()
        self._rows = [[(total, variance) for total, variance in row] for row in numbers["rows"]]
        self._ticks, self._total, self._variance = numbers["ticks"], numbers["total"], numbers["variance"]
        self.width = sum(len(row) * 2**at for at, row in enumerate(self._rows))
        return self
