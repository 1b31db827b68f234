"""Figures of shares as a table with bars: the classes of a model, and what each model has forgotten of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prequel.services.offline.figures.series import name_of
from prequel.services.offline.figures.shapes import Box, Drawing, Shape, Text
from prequel.services.offline.figures.text import fit
from prequel.services.offline.report import wording
from prequel.services.offline.report.classes import frequent
from prequel.shared.status import ModelStatus

WIDTH, LABEL, COUNT = 720, 150, 60
"""Of the table, of the column of names, and of that of numbers."""
ROW, HEAD = 26, 24
FORGOTTEN = (
    "How much of a class was forgotten: its best recall in a stretch of the stream, less that in the newest stretch "
    "where it was seen."
)


def classes_drawing(model: str, status: ModelStatus) -> Drawing:
    """Precision, recall, F1 and what was forgotten, of each class of one model, the most frequent MAX_LABELS."""
    columns = ("Precision", "Recall", "F1", "Forgotten")
    rows = [
        _Row(label, wording.count(each.support), (each.precision, each.recall, each.f1, each.forgetting))
        for label, each in frequent(status.classes)
    ]
    words = f"While learning. {FORGOTTEN}" if rows else "No prediction was scored."
    heads = [[Text(0, 12, name, "muted", 12)] for name in columns]
    colours = ("accent-soft", "accent-soft", "accent-soft", "bad-soft")
    return Drawing(f"Classes of {model}", words, *_table(heads, rows, colours))


def forgetting_drawing(models: Mapping[str, ModelStatus], chosen: Sequence[str]) -> Drawing:
    """What the chosen models have forgotten of each class, beside each other."""
    classes = frequent({label: each for model in chosen for label, each in models[model].classes.items()})
    rows = [
        _Row(label, wording.count(each.support), [_forgotten(models[model], label) for model in chosen])
        for label, each in classes
    ]
    words = FORGOTTEN if rows else "No prediction was scored."
    room = (WIDTH - LABEL - COUNT) / max(1, len(chosen)) - 10
    heads = [name_of(model, [*models], 0, 12, room) for model in chosen]
    return Drawing("Forgetting", words, *_table(heads, rows, ["bad-soft"] * len(chosen)))


def _forgotten(status: ModelStatus, label: str) -> float | None:
    return status.classes[label].forgetting if label in status.classes else None


class _Row(NamedTuple):
    label: str
    scored: str
    shares: Sequence[float | None]


def _table(
    heads: Sequence[Sequence[Shape]], rows: Sequence[_Row], colours: Sequence[str]
) -> tuple[list[Shape], float, float]:
    """The shapes, and how large all of it is."""
    if not rows:
        return [], WIDTH, 0
    room = (WIDTH - LABEL - COUNT) / len(heads)
    lefts = [LABEL + COUNT + 16 + number * room for number in range(len(heads))]
    shapes: list[Shape] = [
        Text(0, 12, "Class", "muted", 12),
        Text(LABEL + COUNT, 12, "Scored", "muted", 12, anchor="end"),
    ]
    for left, head in zip(lefts, heads, strict=True):
        shapes += [shape._replace(x=shape.x + left) for shape in head]
    for number, row in enumerate(rows):
        shapes += _row(row, HEAD + number * ROW, lefts, room - 16, colours)
    return shapes, WIDTH, HEAD + ROW * len(rows)


def _row(row: _Row, y: float, lefts: Sequence[float], room: float, colours: Sequence[str]) -> list[Shape]:
    name = fit(row.label, LABEL - 10, 13, bold=True)
    shapes: list[Shape] = [
        Box(0, y, WIDTH, 1, "line"),
        Text(0, y + 18, name, weight=600, title=row.label),
        Text(LABEL + COUNT, y + 18, row.scored, anchor="end"),
    ]
    for left, share, colour in zip(lefts, row.shares, colours, strict=True):
        shapes.append(Box(left, y + 4, room * (share or 0.0), ROW - 8, colour, radius=3))
        shapes.append(Text(left + 6, y + 18, wording.percent(share)))
    return shapes
