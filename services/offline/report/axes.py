"""Axes of the report's plots: where they begin and end, and what stands at their ticks."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from prequel.services.offline.report import wording

BEGINNING = 0.05
"""This share of a curve is its beginning, where a handful of labels moves accuracy from 0 to 1: it may be cut off."""
STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Distances between grid lines that read well as percentages."""
MAX_LINES = 6
"""Of more lines in the plot's height, people cannot tell which is which."""
MIN_SPAN = 0.02
"""A curve that stands still would otherwise show the noise of its last digit as hills."""
X_TICKS = 5
"""Numbers below the plot, about: on a phone, of twice as many one would run into the next."""


class Tick(NamedTuple):
    """A number at an axis; ``at`` is its value on it."""

    at: float
    text: str


def accuracy_range(columns: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The ends of an axis of accuracies, near the data: as the page of a stream has it.

    >>> accuracy_range([[0.0] + [0.96] * 30])
    (0.94, 0.98)
    """
    settled = [value for column in columns for value in column[int(len(column) * BEGINNING) :]]
    if not settled:
        return 0.0, 1.0
    low, high = min(settled), max(settled)
    step = step_of(max(high - low, MIN_SPAN))
    top = min(1.0, _up(high, step))
    bottom = min(_down(low, step), top - MIN_SPAN)
    return round(max(0.0, bottom), 4), round(top, 4)


def step_of(span: float) -> float:
    """The distance between grid lines on an axis of this length."""
    return next((step for step in STEPS if span / step <= MAX_LINES), STEPS[-1])


def _up(value: float, step: float) -> float:
    """A quarter of a step of air, then outward to the next grid line."""
    return -(-(value / step + 0.25) // 1) * step


def _down(value: float, step: float) -> float:
    return (value / step - 0.25) // 1 * step


def accuracy_ticks(bottom: float, top: float) -> list[Tick]:
    """Those between the ends, in whole steps of per cents."""
    step = step_of(top - bottom)
    numbers = range(round(bottom / step), round(top / step) + 1)
    digits = 1 if step < 0.01 else 0
    return [Tick(number * step, wording.percent(number * step, digits)) for number in numbers if number * step <= top]


def count_ticks(end: int) -> list[Tick]:
    """Round numbers from 0 to ``end``.

    >>> [tick.text for tick in count_ticks(1_796)]
    ['0', '500', '1,000', '1,500']
    """
    step = next(step for step in _round_steps() if end / step <= X_TICKS)
    return [Tick(number, wording.count(number)) for number in range(0, end + 1, step)]


def _round_steps() -> Iterable[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10
