"""How often each class came: a vector of whole numbers that grows with the classes."""

from array import array

import numpy as np
import numpy.typing as npt


class Counts:
    """Classes that never came count 0."""

    def __init__(self) -> None:
        self._numbers = array("q")

    def __getitem__(self, label: int) -> int:
        return self._numbers[label] if label < len(self._numbers) else 0

    def add(self, label: int, sign: int) -> None:
        try:
            self._numbers[label] += sign
        except IndexError:
            self._numbers.extend([0] * (label - len(self._numbers)))
            self._numbers.append(sign)

    def dot(self, other: "Counts") -> int:
        """The sum over all classes of this count times the other."""
        classes = min(len(self), len(other))
        return int(np.dot(self.vector(classes), other.vector(classes)))

    def __len__(self) -> int:
        return len(self._numbers)

    def vector(self, classes: int) -> npt.NDArray[np.int64]:
        """A copy, of so many classes."""
        found = np.zeros(classes, np.int64)
        found[: len(self._numbers)] = self._numbers[:classes]
        return found
