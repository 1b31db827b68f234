"""The ids of examples that have left the window: a duplicate of one is recognised, a label for one has expired."""

from collections import deque

import numpy as np
import numpy.typing as npt

from prequel.shared.events.names import short_id_hash


class ExpiredIds:
    """The newest ``size`` expired ids, as 64-bit BLAKE2 hashes.

    A hash takes 8 bytes, an id perhaps hundreds. That any two of a million ids share a hash has a chance of 1 in 40
    million; with 32 bits it would be nearly certain.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._order: deque[int] = deque()
        self._known: set[int] = set()

    def __contains__(self, id: str) -> bool:
        return bool(self._known) and self.has_hash(short_id_hash(id))

    def has_hash(self, value: int) -> bool:
        """Whether an id has come that has this ``short_id_hash``."""
        return value in self._known

    @property
    def full(self) -> bool:
        """Whether ids may have come that are not remembered any more."""
        return len(self._order) >= self._size

    def add(self, id: str) -> None:
        """Remember an id, and forget the oldest where there are too many."""
        value = short_id_hash(id)
        if self._size and value not in self._known:
            self._order.append(value)
            self._known.add(value)
            if len(self._order) > self._size:
                self._known.remove(self._order.popleft())

    def resize(self, size: int) -> None:
        """Change how many are remembered."""
        self._size = size
        while len(self._order) > size:
            self._known.remove(self._order.popleft())

    def array(self) -> npt.NDArray[np.uint64]:
        """The hashes, oldest first."""
        return np.array(self._order, "<u8")

    @classmethod
    def from_array(cls, size: int, array: npt.NDArray[np.uint64]) -> "ExpiredIds":
        """The inverse of ``array``."""
        self = cls(size)
        self._order = deque(array.tolist())
        self._known = set(self._order)
        return self
