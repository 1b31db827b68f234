"""The figure of calibration: whether a model is right as often as it is sure."""

from collections.abc import Sequence

from prequel.services.offline.figures.series import name_of
from prequel.services.offline.figures.shapes import Drawing, Reliability, Shape, Text
from prequel.services.offline.figures.text import wrap
from prequel.services.offline.report.colours import series
from prequel.services.offline.report.reliability import Diagram

TITLE = "Is it right as often as it says?"
WORDS = "On the diagonal a model is right as often as it is sure. Dots are as large as their share of the predictions."
SIDE, GAP = 246, 24
"""Of a diagram, and between two."""
ACROSS = 3
"""Diagrams in a row: as many as a notebook's page has room for."""
LINE = 17
"""Height of a line of words below a diagram."""


def calibration_drawing(diagrams: Sequence[Diagram], models: Sequence[str], phase: str) -> Drawing:
    """``models`` are all of the evaluation, in order: they give the colours. ``phase`` says which predictions."""
    height = SIDE + 34 + LINE * max((len(_words(diagram)) for diagram in diagrams), default=0)
    shapes: list[Shape] = []
    for number, diagram in enumerate(diagrams):
        shapes += _one(diagram, models, number % ACROSS * (SIDE + GAP), number // ACROSS * (height + GAP))
    across, down = min(ACROSS, len(diagrams)), -(-len(diagrams) // ACROSS)
    size = max(2 * SIDE, across * (SIDE + GAP) - GAP), down * (height + GAP) - GAP
    return Drawing(TITLE, f"{phase.capitalize()}. {WORDS}", shapes, *size)


def _one(diagram: Diagram, models: Sequence[str], x: float, y: float) -> list[Shape]:
    below = y + SIDE + 22
    return [
        Reliability(x, y, diagram, series(models)[diagram.model]),
        *name_of(diagram.model, models, x, below, SIDE),
        *(Text(x, below + 20 + LINE * line, text, "muted", 12) for line, text in enumerate(_words(diagram))),
    ]


def _words(diagram: Diagram) -> list[str]:
    return wrap(diagram.words, SIDE, 12)
