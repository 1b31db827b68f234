"""A small random sample of the examples that a model has learned, from which its certainty is measured."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.sampling import hash_rows
from prequel.services.learner.models.base import Arrays, Matrix, Vector
from prequel.services.learner.models.equal_rows import equal_rows

SIZE = 256
"""Rows in the sample. With half as many the held-out log loss is 0.5 to 1 % higher where labels have been corrected;
twice as many add 1.3 MB to the state at 1,280 features, which is 8 MB with these."""
_NEVER = np.inf


class LabelledRows(NamedTuple):
    """Rows float32 [n, dim], their classes int64 [n], and what they weigh, float64 [n]."""

    rows: Matrix
    classes: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


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
        self._rows = LabelledRows(np.zeros((0, dim), np.float32), np.zeros(0, np.int64), np.zeros(0))
        self._keys = np.zeros(0)
        """Of ``_rows``."""
        self._bound, self._age = _NEVER, 0.0

    @property
    def size(self) -> int:
        """Bytes, as ``arrays`` has them."""
        return self._rows.rows.nbytes + 24 * len(self._keys)

    def in_order(self) -> LabelledRows:
        """A copy of the sample by key, whatever the order of the examples was."""
        order = np.argsort(self._keys, kind="stable")
        rows, classes, weights = self._rows
        return LabelledRows(rows[order], classes[order], weights[order])

    def update(self, added: LabelledRows, *, keep: float, fading: float) -> None:
        """Add each row in turn.

        ``keep`` is what the rows so far have left of their weights; in keys, the past weighs ``fading`` with each row.
        """
        self._rows.weights[:] *= keep
        rows = added.rows
        ages = self._age - np.log(fading) * np.arange(1, len(rows) + 1)
        keys = np.log(-np.log(row_numbers(rows))) - ages
        self._age = float(ages[-1]) if len(rows) else self._age
        self._put(keys, added)

    def relabel(self, x: Vector, old: int, new: int | None) -> None:
        """An example of class ``old``, if it is in the sample, is of class ``new``, or taken out where that is None."""
        for at in equal_rows(self._rows.rows, np.flatnonzero(self._rows.classes == old), x)[:1].tolist():
            if new is None:
                self._choose(np.delete(np.arange(len(self._keys)), at))
            else:
                self._rows.classes[at] = new

    def fade(self, keep: float) -> None:
        """What comes next stays as likely as if all examples so far weighed ``keep`` (0 to 1) of what they did."""
        self._age -= float(np.log(max(keep, 1e-300)))

    def merge(self, other: "LabelledSample", numbers: npt.NDArray[np.int64]) -> None:
        """Become a sample of both; class i of ``other``, which does not change, is class ``numbers[i]`` here."""
        self._bound = min(self._bound, other._bound)
        self._choose(np.flatnonzero(self._keys < self._bound))
        self._put(other._keys, other._rows._replace(classes=numbers[other._rows.classes]))
        self._age = max(self._age, other._age)

    def arrays(self) -> Arrays:
        """Copies of everything."""
        rows, classes, weights = (each.copy() for each in self._rows)
        return {
            "sample": rows,
            "sample_classes": classes,
            "sample_weights": weights,
            "sample_keys": self._keys.copy(),
            "sample_bound": np.array([self._bound, self._age]),
        }

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        classes, weights = arrays["sample_classes"].copy(), arrays["sample_weights"].copy()
        self._rows = LabelledRows(arrays["sample"].copy(), classes, weights)
        self._keys = arrays["sample_keys"].copy()
        self._bound, self._age = arrays["sample_bound"].tolist()

    def _put(self, keys: npt.NDArray[np.float64], added: LabelledRows) -> None:
        """Put rows in whose keys are small enough. Of equal keys, which are those of equal rows, the newest counts."""
        near, size = np.flatnonzero(keys < self._bound), len(self._keys)
        if not len(near):
            return
        together = np.concatenate([self._keys, keys[near]])
        order = np.argsort(together, kind="stable")
        order = order[np.append(together[order[1:]] != together[order[:-1]], True)]
        if len(order) > SIZE:
            self._bound = float(together[order[SIZE]])
        chosen = np.sort(order[:SIZE])
        stay, new = chosen[chosen < size], near[chosen[chosen >= size] - size]
        free = np.ones(len(chosen), bool)
        free[stay] = False
        slots = np.flatnonzero(free)
        if len(chosen) > size:
            self._reserve(len(chosen))
        rows, classes, weights = self._rows
        rows[slots], classes[slots], weights[slots] = added.rows[new], added.classes[new], added.weights[new]
        self._keys[slots] = keys[new]

    def _reserve(self, size: int) -> None:
        rows, classes, weights = self._rows
        more = size - len(rows)
        self._rows = LabelledRows(
            np.concatenate([rows, np.zeros((more, rows.shape[1]), np.float32)]),
            np.append(classes, np.zeros(more, np.int64)),
            np.append(weights, np.zeros(more)),
        )
        self._keys = np.append(self._keys, np.zeros(more))

    def _choose(self, order: npt.NDArray[np.int64]) -> None:
        """Keep only these rows."""
        rows, classes, weights = self._rows
        self._keys, self._rows = self._keys[order], LabelledRows(rows[order], classes[order], weights[order])
