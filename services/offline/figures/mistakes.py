"""The figure of the worst mistakes: as pictures, or as a table where there are none."""

from prequel.services.offline.figures.shapes import Box, Drawing, Picture, Shape, Text
from prequel.services.offline.figures.text import fit, wrap
from prequel.services.offline.report.mistakes import Mistakes, Tile

WORDS = "Where it was surest and wrong, the worst first: a label may be wrong here too."
NOTHING = "It made no mistake."
WIDTH, ACROSS, GAP = 720, 6, 12
"""Of the figure, tiles in a row, and between two of them."""
SIDE = (WIDTH - (ACROSS - 1) * GAP) // ACROSS
LINE = 16
TEXTS = 4
"""Lines below a picture."""
COLUMNS = (("Example", 0, "start"), ("Is", 300, "start"), ("Predicted", 420, "start"), ("Sure", 610, "end"))
"""Of the table: name, where it stands, how it is aligned."""


def mistakes_drawing(mistakes: Mistakes, phase: str) -> Drawing:
    """``phase`` says which predictions they are."""
    title = f"Worst mistakes of {mistakes.model}, {phase}"
    if not mistakes.tiles:
        return Drawing(title, NOTHING, [], WIDTH, 0)
    shapes, height = _tiles(mistakes.tiles) if mistakes.pictured else _table(mistakes.tiles)
    return Drawing(title, WORDS, shapes, WIDTH, height)


def _tiles(tiles: list[Tile]) -> tuple[list[Shape], float]:
    height = SIDE + TEXTS * LINE + 16
    shapes: list[Shape] = []
    for number, tile in enumerate(tiles):
        shapes += _tile(tile, number % ACROSS * (SIDE + GAP), number // ACROSS * height)
    return shapes, height * -(-len(tiles) // ACROSS) - 10


def _tile(tile: Tile, x: float, y: float) -> list[Shape]:
    below = y + SIDE + LINE + 2
    texts = [
        (f"is {tile.truth}", "good", 600),
        (f"predicted {tile.predicted}", "bad", 600),
        (f"{tile.sure} sure", "ink", 400),
        (tile.name, "muted", 400),
    ]
    lines = [
        Text(x, below + LINE * number, fit(text, SIDE, 12, bold=weight > 400), colour, 12, weight, title=text)
        for number, (text, colour, weight) in enumerate(texts)
    ]
    if tile.picture:
        return [Box(x, y, SIDE, SIDE, "raised", radius=6), Picture(x, y, SIDE, tile.picture, tile.name), *lines]
    absent = wrap("The image is not there any more, or cannot be shown.", SIDE - 12, 12)
    words = [Text(x + SIDE / 2, y + 40 + LINE * n, line, "muted", 12, anchor="middle") for n, line in enumerate(absent)]
    return [Box(x, y, SIDE, SIDE, "raised", radius=6), *words, *lines]


def _table(tiles: list[Tile]) -> tuple[list[Shape], float]:
    columns = [*COLUMNS, ("For the truth", WIDTH, "end")]
    shapes: list[Shape] = [Text(x, 12, name, "muted", 12, anchor=anchor) for name, x, anchor in columns]
    for number, tile in enumerate(tiles):
        y = 22 + 26 * number
        shapes.append(Box(0, y, WIDTH, 1, "line"))
        cells = zip(columns, (tile.name, tile.truth, tile.predicted, tile.sure, tile.truth_sure), strict=True)
        for (name, x, anchor), cell in cells:
            room = {"Example": 285, "Is": 110, "Predicted": 140}.get(name, 90)
            shapes.append(Text(x, y + 18, fit(cell, room, 13), anchor=anchor, title=cell))
    return shapes, 22 + 26 * len(tiles)
