"""The name of a model in a figure, beside a piece of its line."""

from collections.abc import Sequence

from prequel.services.offline.figures.shapes import Box, Shape, Text
from prequel.services.offline.figures.text import fit
from prequel.services.offline.report.colours import dashed, series

SWATCH = 18
"""Length of the piece of a line before a model's name."""
LINE = 22
"""Height of a line of names."""


def name_of(model: str, models: Sequence[str], x: float, y: float, room: float) -> list[Shape]:
    """The piece of a line, and the name of ``model``, one of ``models``; ``y`` is the text's baseline."""
    colour, broken = series(models)[model], model in dashed(models)
    pieces = [(0, 5), (7, 5), (14, 4)] if broken else [(0, SWATCH)]
    lines: list[Shape] = [
        Box(x + begin, y - 6, length, 4, colour, radius=0 if broken else 2) for begin, length in pieces
    ]
    left = SWATCH + 8
    return [*lines, Text(x + left, y, fit(model, room - left, 13, bold=True), weight=600, title=model)]
