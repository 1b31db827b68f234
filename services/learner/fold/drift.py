"""Drift detectors on a model's error: ADWIN and Page-Hinkley, as River has them, with a state of plain numbers."""

import math
from collections.abc import Sequence
from typing import Any

Numbers = dict[str, Any]


class Adwin:
    """Adaptive windowing: drops the older part of its window when its mean differs from the newer part's.

    Bifet & Gavalda, "Learning from time-changing data with adaptive windowing", SDM 2007, with the choices of
    river.drift.ADWIN: checks every 32 values, at most 5 buckets of a size, at least 5 values on either side.
    """

    CLOCK, MOST_BUCKETS, LEAST, GRACE = 32, 5, 5, 10

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
        found = False
        if self._ticks % self.CLOCK == 0 and self.width > self.GRACE:
            while self._cut():
                found = True
        return found

    @property
    def mean(self) -> float:
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
        while len(self._rows[row]) > self.MOST_BUCKETS:
            (first, spread), (second, more) = self._rows[row][:2]
            del self._rows[row][:2]
            if row + 1 == len(self._rows):
                self._rows.append([])
            size = 2.0**row
            between = size * size * (first / size - second / size) ** 2 / (size + size)
            self._rows[row + 1].append((first + second, spread + more + between))
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
                if min(older, newer) >= self.LEAST and self._differs(older, older_total, newer, newer_total):
                    self._drop_oldest()
                    return True
        return False

    def _differs(self, older: int, older_total: float, newer: int, newer_total: float) -> bool:
        confidence = math.log(2 * math.log(self.width) / self._delta)
        inverse = 1.0 / (older - self.LEAST + 1) + 1.0 / (newer - self.LEAST + 1)
        variance = self._variance / self.width
        if variance < 0:
            return False  # rounding, where all values are equal; River's comparison with a NaN says the same
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
        return {"rows": self._rows, "ticks": self._ticks, "total": self._total, "variance": self._variance}

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> "Adwin":
        self = cls()
        self._rows = [[(total, variance) for total, variance in row] for row in numbers["rows"]]
        self._ticks, self._total, self._variance = numbers["ticks"], numbers["total"], numbers["variance"]
        self.width = sum(len(row) * 2**at for at, row in enumerate(self._rows))
        return self


class PageHinkley:
    """A two-sided cumulative test of the mean (Page, Biometrika 41, 1954), as river.drift.PageHinkley has it."""

    LEAST, DELTA, THRESHOLD, ALPHA = 30, 0.005, 50.0, 1 - 0.0001

    def __init__(self) -> None:
        self._values: Sequence[float] = (0.0, 0.0, 0.0, 0.0, math.inf, -1.0)
        """Count, mean, sum of increases, of decreases, least increase, most decrease."""
        self.rose = False
        """Whether the change found last was a rise."""

    def update(self, value: float) -> bool:
        """Take one value in; whether the mean has changed (the test then begins anew)."""
        count, mean, up, down, least, most = self._values
        count += 1
        mean += (value - mean) / count
        up = self.ALPHA * up + (value - mean) - self.DELTA
        down = self.ALPHA * down + (value - mean) + self.DELTA
        least, most = up if up < least else least, down if down > most else most
        self.rose = up - least > self.THRESHOLD
        found = count >= self.LEAST and (self.rose or most - down > self.THRESHOLD)
        self._values = (0.0, 0.0, 0.0, 0.0, math.inf, -1.0) if found else (count, mean, up, down, least, most)
        return found

    def numbers(self) -> Numbers:
        return {"values": [None if math.isinf(value) else value for value in self._values]}

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> "PageHinkley":
        self = cls()
        self._values = tuple(math.inf if value is None else value for value in numbers["values"])
        return self


class ErrorDrift:
    """Both detectors on the errors (0 or 1) of one model: where either finds a rise, that is a drift; both begin anew.

    A fall is a model that learns: it is no drift, and the detector alone that found it begins anew, as River's does.
    """

    def __init__(self) -> None:
        self._adwin, self._page_hinkley = Adwin(), PageHinkley()

    def update(self, wrong: bool) -> str | None:
        """The name of the detector that found a rise of the error, None where there is none."""
        before = self._adwin.mean
        found = self._adwin.update(float(wrong))
        cut = found and self._adwin.mean > before
        if found:
            self._adwin = Adwin()
        shifted = self._page_hinkley.update(float(wrong)) and self._page_hinkley.rose
        if not cut and not shifted:
            return None
        self._adwin, self._page_hinkley = Adwin(), PageHinkley()
        return "adwin" if cut else "page-hinkley"

    def numbers(self) -> Numbers:
        return {"adwin": self._adwin.numbers(), "page_hinkley": self._page_hinkley.numbers()}

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> "ErrorDrift":
        self = cls()
        self._adwin = Adwin.from_numbers(numbers["adwin"])
        self._page_hinkley = PageHinkley.from_numbers(numbers["page_hinkley"])
        return self
