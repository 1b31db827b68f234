"""The figure of a confusion matrix: who is taken for whom."""

from prequel.services.offline.figures.shapes import Box, Drawing, Shape, Text
from prequel.services.offline.figures.text import fit, width
from prequel.services.offline.report.matrices import Cell, Matrix
from prequel.shared.status import MAX_LABELS

WORDS = "Rows: what examples are. Columns: what the model predicted."
NOTHING = "No prediction was scored, so nothing was confused."
HEAT = 0.62
"""How strong the colour of a whole row in one cell is: black numbers stay readable on it."""
MAX_LABEL, MAX_TURNED = 150, 130
"""Units that the name of a row takes at most, and one above a column where names stand upright."""
MIN_WIDTH = 480
"""Of a figure of two classes, whose title and sentence need more than its cells."""
NO_CLASS = "none"


def confusion_drawing(model: str, matrix: Matrix | None, phase: str) -> Drawing:
    """``phase`` says which predictions they are; without a matrix nothing was scored."""
    title = f"Confusion of {model}, {phase}"
    if matrix is None:
        return Drawing(title, NOTHING, [], MIN_WIDTH, 0)
    many = f" The {MAX_LABELS} most frequent classes." if len(matrix.rows) >= MAX_LABELS else ""
    grid = _Grid(matrix)
    return Drawing(title, WORDS + many, grid.shapes(), *grid.size)


class _Grid:
    """A matrix at its place. Cells of many classes are small, and the names above them stand upright."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._columns = [label or NO_CLASS for label in matrix.columns]
        widest = max(width(label, 12, bold=True) for label in self._columns)
        self._turned = matrix.dense or widest > 80
        self._cell = (22.0, 22.0) if matrix.dense else (46.0 if self._turned else max(46.0, widest + 8), 34.0)
        self._size = 9 if matrix.dense else 13
        self._left = min(MAX_LABEL, max(width(row.label, 12, bold=True) for row in matrix.rows)) + 14
        self._top = min(MAX_TURNED, widest) + 14 if self._turned else 26

    @property
    def size(self) -> tuple[float, float]:
        across, down = self._cell
        return max(MIN_WIDTH, self._left + across * len(self._columns) + 70), self._top + down * len(self._matrix.rows)

    def shapes(self) -> list[Shape]:
        across, down = self._cell
        end = self._left + across * len(self._columns)
        shapes = self._ground()
        shapes += [shape for number, label in enumerate(self._columns) for shape in self._head(number, label)]
        shapes.append(Text(end + 10, self._top - 8, "all", "muted", 12))
        for number, row in enumerate(self._matrix.rows):
            y = self._top + number * down
            middle = y + down / 2 + 4
            name = fit(row.label, MAX_LABEL, 12, bold=True)
            shapes.append(Text(self._left - 10, middle, name, size=12, weight=600, anchor="end", title=row.label))
            for column, cell in enumerate(row.cells):
                shapes += self._cell_at(cell, self._left + column * across, y)
            shapes.append(Text(end + 10, middle, row.total, "muted", 12))
        return shapes

    def _ground(self) -> list[Shape]:
        """One for all of many cells: a box in each of them would be most of the figure's bytes."""
        if not self._matrix.dense:
            return []
        across, down = self._cell
        size = across * len(self._columns), down * len(self._matrix.rows)
        return [Box(self._left, self._top, *size, "raised", radius=3)]

    def _head(self, number: int, label: str) -> list[Shape]:
        middle = self._left + self._cell[0] * (number + 0.5)
        if self._turned:
            name = fit(label, MAX_TURNED, 12, bold=True)
            return [Text(middle + 4, self._top - 8, name, size=12, weight=600, turned=True, title=label)]
        return [Text(middle, self._top - 8, label, size=12, weight=600, anchor="middle")]

    def _cell_at(self, cell: Cell, x: float, y: float) -> list[Shape]:
        across, down = self._cell
        gap, radius = (1, 3) if self._matrix.dense else (3, 6)
        place = (x, y, across - gap, down - gap)
        ground: list[Shape] = [] if self._matrix.dense else [Box(*place, "raised", radius=radius)]
        if not cell.text:
            return ground
        colour = "accent" if cell.kind == "hit" else "bad"
        heat = Box(*place, colour, opacity=HEAT * float(cell.depth), radius=radius, title=cell.title)
        middle = x + (across - gap) / 2
        return [
            *ground,
            heat,
            Text(middle, y + down / 2 + self._size / 3 - 1, cell.text, size=self._size, anchor="middle"),
        ]
