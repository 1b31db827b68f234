"""How often each class came: a vector of whole numbers that grows with the classes."""

from array import array

import numpy as np
import numpy.typing as npt


class ClassCounts:
    """Counts by class number; a class that never came counts 0.

    >>> counts = ClassCounts()
    >>> counts.add(2, 1); counts.add(0, 1); counts.add(2, 1)
    >>> counts[2], counts[7], counts.vector(4)
    (2, 0, array([1, 0, 2, 0]))
    """

    def __init__(self) -> None:
        self._counts = array("q")

    def __getitem__(self, label: int) -> int:
        return self._counts[label] if label < len(self._counts) else 0

    def add(self, label: int, sign: int) -> None:
        """Count an example of a class with 1, or take it out again with -1."""
        try:
            self._counts[label] += sign
        except IndexError:
            self._counts.extend([0] * (label - len(self._counts)))
            self._counts.append(sign)

    def dot(self, other: "ClassCounts") -> int:
        """The sum over all classes of this count times the other."""
        classes = min(len(self), len(other))
        return int(np.dot(self.vector(classes), other.vector(classes)))

    def __len__(self) -> int:
        return len(self._counts)

    def vector(self, classes: int) -> npt.NDArray[np.int64]:
        """A copy, shape [classes]."""
        counts = np.zeros(classes, np.int64)
        counts[: len(self._counts)] = self._counts[:classes]
        return counts
