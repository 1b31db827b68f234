"""A small random sample of the examples that a model has learned, from which its certainty is measured."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.sampling import hash_rows
from prequel.services.learner.models.base import Arrays, Matrix

SIZE = 256
"""Rows in the sample. With half as many the held-out log loss is 0.5 to 1 % higher where labels have been corrected;
twice as many add 1.3 MB to the state at 1,280 features, which is 8 MB with these."""
_NEVER = np.inf


def row_numbers(rows: Matrix) -> npt.NDArray[np.float64]:
    """A random number in (0, 1) for each of ``rows`` float32 [n, dim], made of its values alone."""
    numbers = np.empty(len(rows))
    hash_rows(np.ascontiguousarray(rows).view(np.uint32), numbers)
    return numbers


class LabelledSample:
    """The at most SIZE examples with the smallest keys, where a key is a random number made of the row's own values.

    So it is a sample of all examples, whatever their order: the same set of examples gives the same sample, and one
    that is removed and added again with another label is back where it was (a bottom-k sketch: Cohen and Kaplan,
    "Summarizing data using bottom-k sketches", PODC 2007). Equal rows count once, with their newest label. Where the
    past weighs less, newer keys are smaller, so that it leaves the sample in the same measure (Efraimidis and Spirakis,
    "Weighted random sampling with a reservoir", Information Processing Letters 97, 2006).
    """

    def __init__(self, dim: int) -> None:
        self._rows, self._classes = np.zeros((0, dim), np.float32), np.zeros(0, np.int64)
        self._keys, self._filled, self._bound, self._age = np.zeros(0), 0, _NEVER, 0.0

    @property
    def size(self) -> int:
        """Bytes, as ``arrays`` has them."""
        return self._filled * (4 * self._rows.shape[1] + 16)

    def in_order(self) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """Rows float32 [n, dim] and their classes int64 [n], by key."""
        order = np.argsort(self._keys[: self._filled], kind="stable")
        return self._rows[order], self._classes[order]

    def weights(self) -> npt.NDArray[np.float64]:
        """What each row weighs by now, [n], in the order of ``in_order``: below 1 where the past has faded."""
        keys = np.sort(self._keys[: self._filled], kind="stable")
        ages = np.log(-np.log(row_numbers(self.in_order()[0]))) - keys
        return np.exp(np.minimum(ages - self._age, 0.0))

    def update(
        self, rows: Matrix, classes: npt.NDArray[np.int64], signs: npt.NDArray[np.float64], *, fading: float
    ) -> None:
        """Add each row in turn, or remove it where its sign is -1; the past weighs ``fading`` with each."""
        ages = self._age - np.log(fading) * np.arange(1, len(rows) + 1)
        keys = np.log(-np.log(row_numbers(rows))) - ages
        self._age = float(ages[-1]) if len(rows) else self._age
        for i in np.flatnonzero(keys < self._bound):
            if signs[i] < 0.0:
                self._remove(keys[i], int(classes[i]))
            else:
                self._put(keys[i], rows[i], int(classes[i]))

    def fade(self, keep: float) -> None:
        """What comes next stays as likely as if all examples so far weighed ``keep`` (0 to 1) of what they did."""
        self._age -= float(np.log(max(keep, 1e-300)))

    def merge(self, other: "LabelledSample", numbers: npt.NDArray[np.int64]) -> None:
        """Become a sample of both; class i of ``other``, which does not change, is class ``numbers[i]`` here."""
        self._bound = min(self._bound, other._bound)
        for slot in reversed(range(self._filled)):
            if self._keys[slot] >= self._bound:
                self._delete(slot)
        for key, row, label in zip(other._keys, other._rows, other._classes[: other._filled], strict=False):
            if key < self._bound:
                self._put(float(key), row, int(numbers[label]))
        self._age = max(self._age, other._age)

    def arrays(self) -> Arrays:
        """Copies of everything."""
        rows, classes, keys = (each[: self._filled].copy() for each in (self._rows, self._classes, self._keys))
        return {
            "sample": rows,
            "sample_classes": classes,
            "sample_keys": keys,
            "sample_bound": np.array([self._bound, self._age]),
        }

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._rows, self._classes = arrays["sample"].copy(), arrays["sample_classes"].copy()
        self._keys, self._filled = arrays["sample_keys"].copy(), len(arrays["sample"])
        self._bound, self._age = arrays["sample_bound"].tolist()

    def _put(self, key: float, row: Matrix, label: int) -> None:
        """Put a row in, in the place of an equal one, or else of the one with the largest key if there is no room."""
        same = np.flatnonzero(self._keys[: self._filled] == key)
        if len(same):
            self._classes[same[0]] = label
            return
        if self._filled == SIZE:
            largest = int(self._keys.argmax())
            self._bound = float(self._keys[largest])
            if key >= self._bound:
                self._bound = key
                return
            self._delete(largest)
        self._reserve(self._filled + 1)
        self._rows[self._filled], self._classes[self._filled], self._keys[self._filled] = row, label, key
        self._filled += 1

    def _remove(self, key: float, label: int) -> None:
        same = np.flatnonzero((self._keys[: self._filled] == key) & (self._classes[: self._filled] == label))
        if len(same):
            self._delete(int(same[0]))

    def _delete(self, slot: int) -> None:
        """The last row takes the slot; nothing is left of the deleted one."""
        self._filled -= 1
        for array in (self._rows, self._classes, self._keys):
            array[slot] = array[self._filled]
            array[self._filled] = 0

    def _reserve(self, filled: int) -> None:
        if filled > len(self._rows):
            capacity = min(SIZE, max(filled, 2 * len(self._rows)))
            for name in ("_rows", "_classes", "_keys"):
                array = getattr(self, name)
                larger = np.zeros((capacity, *array.shape[1:]), array.dtype)
                larger[: len(array)] = array
                setattr(self, name, larger)
