"""The newest scored examples: the probability of the truth, whether the prediction set held it, and its size."""

import math
from bisect import bisect_left, insort
from typing import Any

import numpy as np
import numpy.typing as npt

SIZE = 500
"""Examples whose probabilities tell where a set ends. With twice as many, 500 sets after a change of camera held the
truth in 2 % fewer cases; with half as many, sets of 99 % were a fifth larger."""
RECENT = 100
"""Examples whose misses move that end. With half as many, such sets held it in 2 % fewer cases; with twice as many and
as large steps, sets swing between too small and too large where labels come late."""
EMPTY, MISSED, HELD, RIGHT = 0, 1, 2, 3
"""Of an index: no set that counts, one without the truth, one with it, and one with it as the predicted label."""
NONE = math.nan
"""The probability at an index that has none: not scored, or retracted."""


class SetRing:
    """By index, and restated by index: what an index has put in is taken out exactly.

    >>> ring = SetRing()
    >>> for tenths in range(9):
    ...     ring.put(ring.advance(), probability=tenths / 8, mark=HELD if tenths else MISSED, size=2)
    >>> ring.quantile(0.2), ring.quantile(0.01), ring.counts[HELD], ring.counts[MISSED], ring.total_size
    (0.125, 0.0, 8, 1, 18)
    >>> ring.remove(0)  # its label was retracted
    >>> ring.quantile(0.2), ring.counts[MISSED], ring.total_size
    (0.125, 0, 16)
    """

    def __init__(self, total: int = 0) -> None:
        self.total = total
        """The next index."""
        self._probabilities = [NONE] * SIZE
        self._sorted: list[float] = []
        self._marks = bytearray(SIZE)
        self._sizes = [0] * SIZE
        self.total_size = 0
        """Labels in the sets of the newest ``SIZE`` indices."""
        self.counts = [0, 0, 0, 0]
        """How many of the newest ``SIZE`` indices have each mark; EMPTY is not counted."""
        self.recent = [0, 0, 0, 0]
        """The same of the newest ``RECENT``."""

    def advance(self) -> int:
        """Begin the next index, which is returned; the oldest one gives its slot up."""
        index, slot = self.total, self.total % SIZE
        if (probability := self._probabilities[slot]) == probability:
            self._empty(slot, probability)
        if leaving := self._marks[(index - RECENT) % SIZE]:
            self.recent[leaving] -= 1
        self.total = index + 1
        return index

    def put(self, index: int, probability: float, mark: int, size: int) -> None:
        """Fill the empty slot of an index; one that is too old has none. ``size`` is 0 where ``mark`` is EMPTY."""
        if self._has_slot(index):
            self._probabilities[index % SIZE] = probability
            insort(self._sorted, probability)
            self._marks[index % SIZE] = mark
            self._sizes[index % SIZE] = size
            self._count(index, mark)
            self.total_size += size

    def remove(self, index: int) -> None:
        """Empty the slot of an index, if it has one."""
        slot = index % SIZE
        if self._has_slot(index) and (probability := self._probabilities[slot]) == probability:
            if index >= self.total - RECENT and (mark := self._marks[slot]):
                self.recent[mark] -= 1
            self._empty(slot, probability)

    def _empty(self, slot: int, probability: float) -> None:
        del self._sorted[bisect_left(self._sorted, probability)]
        self._probabilities[slot] = NONE
        if mark := self._marks[slot]:
            self.counts[mark] -= 1
            self.total_size -= self._sizes[slot]
            self._marks[slot], self._sizes[slot] = EMPTY, 0

    def quantile(self, rate: float) -> float:
        """What the next truth's probability is below with probability ``rate``, at most; 0 where too few are known.

        Source: Vovk, Gammerman & Shafer, "Algorithmic learning in a random world", 2005: of n + 1 exchangeable values
        the last is as likely to have any rank.
        """
        known = len(self._sorted)
        at = known - math.ceil((known + 1) * (1 - rate))
        return self._sorted[at] if at >= 0 else 0.0

    def clear_marks(self) -> None:
        """Forget which sets held the truth: from here on, others are promised."""
        self._marks = bytearray(SIZE)
        self.counts, self.recent = [0, 0, 0, 0], [0, 0, 0, 0]
        self._sizes, self.total_size = [0] * SIZE, 0

    def _has_slot(self, index: int) -> bool:
        return max(0, self.total - SIZE) <= index < self.total

    def _count(self, index: int, mark: int) -> None:
        if mark:  # Not EMPTY.
            self.counts[mark] += 1
            if index >= self.total - RECENT:
                self.recent[mark] += 1

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As a snapshot stores it, without the slots that no index has had yet; ``from_arrays`` is its inverse."""
        used = min(self.total, SIZE)
        return {
            "probabilities": np.array(self._probabilities[:used], "<f4"),
            "marks": np.frombuffer(bytes(self._marks[:used]), np.uint8),
            "sizes": np.array(self._sizes[:used], "<i4"),
            "total": np.array([self.total], "<i8"),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> "SetRing":
        """The inverse of ``arrays``."""
        self = cls(int(arrays["total"][0]))
        marks, used = arrays["marks"].tolist(), len(arrays["marks"])
        self._probabilities[:used] = arrays["probabilities"].tolist()
        self._sorted = sorted(value for value in self._probabilities if value == value)
        self._marks[:used], self._sizes[:used] = bytes(marks), arrays["sizes"].tolist()
        for index in range(max(0, self.total - SIZE), self.total):
            self._count(index, marks[index % SIZE])
        self.total_size = sum(self._sizes)
        return self
