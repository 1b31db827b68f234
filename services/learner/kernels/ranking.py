"""A kernel that finds the most probable classes of predictions."""

import math
from typing import Any

import numpy.typing as npt

from prequel.services.learner.kernels.compiled import kernel

Array = npt.NDArray[Any]


@kernel
def rank(predicted: Array, numbers: Array, values: Array, classes: Array, largest: Array) -> None:
    """Write the largest of each row of ``predicted`` float64 [n, known] into ``largest`` float32 [n, width].

    The largest comes first; of equal ones, the one that stands first, on every machine. ``classes`` int64 [n, width]
    becomes the ``numbers`` int64 [>= known] of their columns. A value that is no number counts as 0. ``values`` float64
    [>= width] is scratch. What is beyond ``known`` columns stays as it is.
    """
    width = min(predicted.shape[1], classes.shape[1])
    for i in range(predicted.shape[0]):
        for column in range(predicted.shape[1]):
            value = predicted[i, column]
            if not math.isfinite(value):
                value = 0.0
            place = min(column, width)
            if place == width and value <= values[width - 1]:
                continue
            place = min(place, width - 1)
            while place > 0 and value > values[place - 1]:
                values[place] = values[place - 1]
                classes[i, place] = classes[i, place - 1]
                place -= 1
            values[place] = value
            classes[i, place] = numbers[column]
        for place in range(width):
            largest[i, place] = values[place]
