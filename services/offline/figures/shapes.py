"""What a figure is made of: texts, boxes, pictures and the plots of the report, each at its place."""

from collections.abc import Sequence
from typing import NamedTuple

from prequel.services.offline.report.curves import Plot
from prequel.services.offline.report.reliability import Diagram


class Text(NamedTuple):
    """One line of text, its baseline anchored at ``x`` and ``y``. ``title`` is shown when one points at it. Turned, it
    reads upwards."""

    x: float
    y: float
    text: str
    colour: str = "ink"
    size: float = 13
    weight: int = 400
    anchor: str = "start"
    turned: bool = False
    title: str = ""


class Box(NamedTuple):
    """A filled rectangle of a colour of the style sheet; ``title`` is shown when one points at it."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    opacity: float = 1.0
    radius: float = 0.0
    title: str = ""


class Picture(NamedTuple):
    """An image, as a data: URI, as large as fits into a square."""

    x: float
    y: float
    side: float
    uri: str
    title: str


class Curves(NamedTuple):
    """The lines of a plot in a rectangle; the numbers at its axes are texts. The line of ``first`` is the thickest."""

    x: float
    y: float
    width: float
    height: float
    plot: Plot
    colours: dict[str, str]
    dashed: Sequence[str]
    first: str


class Reliability(NamedTuple):
    """A reliability curve of the model whose colour this is."""

    x: float
    y: float
    diagram: Diagram
    colour: str


Shape = Text | Box | Picture | Curves | Reliability


class Drawing(NamedTuple):
    """Shapes below a title and a sentence, from y = 0 on, in a body of that size."""

    title: str
    words: str
    shapes: list[Shape]
    width: float
    height: float
