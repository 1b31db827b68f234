"""Kernel of ADWIN: takes one value into the window, and cuts the window where its parts differ."""

import math
from typing import Any

import numpy.typing as npt

from prequel.services.learner.kernels.compiled import kernel

Array = npt.NDArray[Any]

CLOCK, MAX_BUCKETS, MIN_VALUES, MIN_WIDTH = 32, 5, 5, 10
"""River's own, so that it can be the tests' oracle: a detector with others would find other changes."""
MAX_ROWS = 40
"""Sizes of buckets, 2**0 to 2**39: a window of two and a half million million values. Half as many would end at two
million, which a stream of a week has."""

# What the arguments of the kernels below have in common. Row r holds the buckets of 2**r values, oldest first.
#   buckets  float64 [2, MAX_ROWS, MAX_BUCKETS + 1]  each bucket's total, and its variance times its size
#   filled   int64   [MAX_ROWS]                      how many buckets a row has
#   counts   int64   [2]                             values so far, values in the window
#   sums     float64 [2]                             of the values in the window the total, and the variance times width


@kernel
def update_adwin(value: float, delta: float, buckets: Array, filled: Array, counts: Array, sums: Array) -> int:
    """Take one value in: 0 where nothing has changed, 1 where the mean has risen, -1 where it has fallen."""
    before = sums[0] / counts[1] if counts[1] else 0.0
    _insert(value, buckets, filled, counts, sums)
    counts[0] += 1
    changed = False
    if counts[0] % CLOCK == 0 and counts[1] > MIN_WIDTH:
        while _cut(delta, buckets, filled, counts, sums):
            changed = True
    if not changed:
        return 0
    return 1 if sums[0] / counts[1] > before else -1


@kernel
def _insert(value: float, buckets: Array, filled: Array, counts: Array, sums: Array) -> None:
    """Add a bucket of one value. Where there are too many of a size, the two oldest become one of twice that size."""
    if counts[1]:
        sums[1] += counts[1] * (value - sums[0] / counts[1]) ** 2 / (counts[1] + 1)
    _append(0, value, 0.0, buckets, filled)
    counts[1] += 1
    sums[0] += value
    row, size = 0, 1.0
    while filled[row] > MAX_BUCKETS:
        first, second = buckets[0, row, 0], buckets[0, row, 1]
        between = size * size * (first / size - second / size) ** 2 / (size + size)
        variance = buckets[1, row, 0] + buckets[1, row, 1] + between
        _remove_oldest(row, 2, buckets, filled)
        _append(row + 1, first + second, variance, buckets, filled)
        row, size = row + 1, size * 2.0


@kernel
def _append(row: int, total: float, variance: float, buckets: Array, filled: Array) -> None:
    buckets[0, row, filled[row]] = total
    buckets[1, row, filled[row]] = variance
    filled[row] += 1


@kernel
def _remove_oldest(row: int, many: int, buckets: Array, filled: Array) -> None:
    filled[row] -= many
    for number in range(filled[row]):
        for which in range(2):
            buckets[which, row, number] = buckets[which, row, number + many]


@kernel
def _cut(delta: float, buckets: Array, filled: Array, counts: Array, sums: Array) -> bool:
    """Drop the oldest bucket if some split of the window shows a change."""
    older, older_total = 0, 0.0
    newer, newer_total = counts[1], sums[0]
    for row in range(_oldest_row(filled), -1, -1):
        size = 2**row
        for number in range(filled[row]):
            older, older_total = older + size, older_total + buckets[0, row, number]
            newer, newer_total = newer - size, newer_total - buckets[0, row, number]
            if row == 0 and number == filled[0] - 1:
                return False
            if min(older, newer) >= MIN_VALUES and _differs(
                delta, older, older_total, newer, newer_total, counts, sums
            ):
                _drop_oldest(buckets, filled, counts, sums)
                return True
    return False


@kernel
def _differs(
    delta: float, older: int, older_total: float, newer: int, newer_total: float, counts: Array, sums: Array
) -> bool:
    """Whether two parts' means are further apart than chance allows (equation 3.1 of the paper)."""
    confidence = math.log(2 * math.log(counts[1]) / delta)
    inverse = 1.0 / (older - MIN_VALUES + 1) + 1.0 / (newer - MIN_VALUES + 1)
    variance = sums[1] / counts[1]
    if variance < 0:
        return False  # Rounding, where all values are equal; River's comparison with a NaN says the same.
    bound = math.sqrt(2 * inverse * variance * confidence) + 2 / 3 * confidence * inverse
    return abs(older_total / older - newer_total / newer) > bound


@kernel
def _drop_oldest(buckets: Array, filled: Array, counts: Array, sums: Array) -> None:
    row = _oldest_row(filled)
    size, total = 2**row, buckets[0, row, 0]
    variance = buckets[1, row, 0]
    _remove_oldest(row, 1, buckets, filled)
    counts[1] -= size
    sums[0] -= total
    if counts[1]:
        mean = sums[0] / counts[1]
        between = size * counts[1] * (total / size - mean) ** 2 / (size + counts[1])
        sums[1] -= variance + between


@kernel
def _oldest_row(filled: Array) -> int:
    row = MAX_ROWS - 1
    while row > 0 and not filled[row]:
        row -= 1
    return row
