"""Confusion matrices as tables whose cells are coloured by their share of the row."""

from typing import NamedTuple

from prequel.services.offline.report import wording
from prequel.services.producer.sources.natural_order import natural_key
from prequel.shared.status import Confusion

DENSE = 12
"""From so many classes on cells are small, and the names above them stand upright: else a page has no room."""


class Cell(NamedTuple):
    """``kind`` is hit, miss or empty. ``depth`` is the root of its share of the row: the few mistakes of a good model
    stay visible beside its many hits."""

    text: str
    kind: str
    depth: str
    title: str


class Row(NamedTuple):
    """The examples of one class."""

    label: str
    cells: list[Cell]
    total: str


class Matrix(NamedTuple):
    """``columns`` are the labels of the columns, the last one empty where examples without a prediction have one."""

    columns: list[str]
    rows: list[Row]
    dense: bool


def matrix_of(confusion: Confusion) -> Matrix:
    """In natural order, without the column of examples for which no class was named where that is empty."""
    labels = confusion.labels
    order = sorted(range(len(labels)), key=lambda number: natural_key(labels[number]))
    unnamed = [len(labels)] if any(row[-1] for row in confusion.rows) else []
    columns = [*labels, ""]
    rows = [
        Row(
            labels[truth],
            [_cell(confusion.rows[truth], column, labels[truth], columns[column]) for column in [*order, *unnamed]],
            wording.count(sum(confusion.rows[truth])),
        )
        for truth in order
    ]
    return Matrix([columns[number] for number in [*order, *unnamed]], rows, len(labels) > DENSE)


def _cell(row: list[int], column: int, truth: str, predicted: str) -> Cell:
    value = row[column]
    if not value:
        return Cell("", "empty", "0", "")
    share = value / sum(row)
    said = f"predicted as {predicted}" if predicted else "not predicted as any class"
    title = f"{wording.count(value)} of {truth} {said}, {wording.percent(share)}"
    return Cell(wording.count(value), "hit" if truth == predicted else "miss", f"{share**0.5:.3f}", title)
