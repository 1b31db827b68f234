"""Reliability curves: how sure a model was, and how often it was right then."""

from collections.abc import Sequence
from typing import NamedTuple

from prequel.services.offline.report import wording
from prequel.shared.status import ReliabilityPoint

MIN_COUNT = 30
"""Of 30 predictions the share that was right is known to about 9 points; of a third of them the curve is all noise."""
HONEST_ERROR = 0.03
"""A point or two between how sure a model is and how often it is right is nothing to act on."""
SIDE, LEFT, TOP = 200, 38, 10
"""Units of the drawing: the square, and room for the numbers of the axes."""
SMALLEST, LARGEST = 2.0, 7.0
"""Radius of a dot: the smallest can still be seen, the largest hides no neighbour."""
TICKS = (0, 25, 50, 75, 100)


class Dot(NamedTuple):
    """Predictions of one degree of confidence: place and radius in units of the drawing, and what it says."""

    x: float
    y: float
    r: float
    text: str


class Diagram(NamedTuple):
    """One model's curve; ``path`` is empty where nothing was scored. ``words`` says what it shows."""

    model: str
    path: str
    dots: list[Dot]
    words: str


def diagram_of(model: str, error: float | None, points: Sequence[ReliabilityPoint], *, mixed: bool) -> Diagram:
    """``mixed`` is whether labels came mixed; ``error`` is the expected calibration error."""
    pooled = pool(points)
    most = max((point.count for point in pooled), default=1)
    dots = [_dot(point, most) for point in pooled]
    path = " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in dots)
    return Diagram(model, path, dots, _words(error, points, mixed=mixed))


def pool(points: Sequence[ReliabilityPoint]) -> list[ReliabilityPoint]:
    """Neighbours that have too few predictions alone as one; what is left joins the last.

    >>> points = [ReliabilityPoint(confidence=0.5, accuracy=0.5, count=count) for count in (9, 25, 40, 3)]
    >>> [point.count for point in pool(points)]
    [34, 43]
    """
    pooled: list[ReliabilityPoint] = []
    waiting: ReliabilityPoint | None = None
    for point in points:
        waiting = _merged(waiting, point) if waiting else point
        if waiting.count >= MIN_COUNT:
            pooled.append(waiting)
            waiting = None
    if waiting:
        pooled.append(_merged(pooled.pop(), waiting) if pooled else waiting)
    return pooled


def _merged(one: ReliabilityPoint, other: ReliabilityPoint) -> ReliabilityPoint:
    total = one.count + other.count
    return ReliabilityPoint(
        confidence=(one.confidence * one.count + other.confidence * other.count) / total,
        accuracy=(one.accuracy * one.count + other.accuracy * other.count) / total,
        count=total,
    )


def _dot(point: ReliabilityPoint, most: int) -> Dot:
    sure, right = wording.percent(point.confidence), wording.percent(point.accuracy)
    return Dot(
        LEFT + SIDE * point.confidence,
        TOP + SIDE * (1.0 - point.accuracy),
        max(SMALLEST, LARGEST * (point.count / most) ** 0.5),
        f"{wording.quantity(point.count, 'prediction')}: {sure} sure, {right} right",
    )


def _words(error: float | None, points: Sequence[ReliabilityPoint], *, mixed: bool) -> str:
    total = sum(point.count for point in points)
    if error is None or not total:
        return "No prediction was scored."
    sure = sum(point.confidence * point.count for point in points) / total
    right = sum(point.accuracy * point.count for point in points) / total
    figures = f"On average {wording.percent(sure)} sure and {wording.percent(right)} right"
    return f"{figures}: {_judgement(error, sure, right, mixed=mixed)}. Calibration error {wording.percent(error)}."


def _judgement(error: float, sure: float, right: float, *, mixed: bool) -> str:
    if not mixed:
        return "that says little, for labels came class after class"
    if error < HONEST_ERROR:
        return "it can be taken at its word"
    return "it is too sure" if sure > right else "it is better than it says"
