"""The classes of a model: labels numbered in the order in which they were first learned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


class Classes:
    """Labels and their numbers. ``labels`` is one list for as long as the object lives, so that others may share it."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self._numbers: dict[str, int] = {}

    def load(self, labels: Sequence[str]) -> None:
        """Replace all classes by these."""
        self.labels[:] = labels
        self._numbers = {label: number for number, label in enumerate(labels)}

    def number(self, label: str) -> int:
        """The label's number. A new label gets the next one."""
        number = self._numbers.get(label)
        if number is None:
            number = self._numbers[label] = len(self.labels)
            self.labels.append(label)
        return number

    def find(self, label: str) -> int:
        """The label's number. Raises KeyError for one that was never learned."""
        return self._numbers[label]

    def numbers(self, labels: Sequence[str | None]) -> tuple[npt.NDArray[np.int64], list[int]]:
        """For each label in turn its number (-1 for None), and how many classes there were before it."""
        numbers, known = np.empty(len(labels), np.int64), []
        for i, label in enumerate(labels):
            known.append(len(self.labels))
            numbers[i] = -1 if label is None else self.number(label)
        return numbers, known


def grown(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    """The array with at least ``rows`` rows, new ones zero.

    It doubles: with one more row at a time, a thousand new classes would copy the array a thousand times.
    """
    if rows <= len(array):
        return array
    larger = np.zeros((max(rows, 2 * len(array)), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
