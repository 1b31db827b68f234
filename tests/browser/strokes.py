"""Digits as people write them: strokes through points that are shares of the canvas."""

from collections.abc import Iterator

import numpy as np
from playwright.sync_api import Page

Points = list[tuple[float, float]]
STEPS = 12
# fmt: off
DIGITS: dict[str, list[Points]] = {
    "0": [
        [(0.5, 0.1), (0.25, 0.25), (0.2, 0.55), (0.3, 0.85), (0.5, 0.92),
         (0.72, 0.82), (0.8, 0.5), (0.72, 0.2), (0.5, 0.1)],
    ],
    "1": [[(0.35, 0.3), (0.55, 0.1), (0.55, 0.5), (0.55, 0.9)]],
    "2": [[(0.25, 0.28), (0.38, 0.12), (0.62, 0.12), (0.74, 0.3), (0.6, 0.52), (0.25, 0.88), (0.5, 0.88), (0.8, 0.88)]],
    "3": [
        [(0.26, 0.18), (0.5, 0.1), (0.72, 0.22), (0.66, 0.42), (0.46, 0.48),
         (0.7, 0.56), (0.76, 0.74), (0.55, 0.9), (0.24, 0.82)],
    ],
    "4": [[(0.6, 0.1), (0.4, 0.35), (0.2, 0.6), (0.5, 0.61), (0.85, 0.6)], [(0.62, 0.35), (0.62, 0.92)]],
    "5": [
        [(0.75, 0.1), (0.5, 0.1), (0.32, 0.1), (0.28, 0.45), (0.52, 0.4),
         (0.74, 0.55), (0.7, 0.8), (0.5, 0.92), (0.24, 0.84)],
    ],
    "6": [
        [(0.66, 0.1), (0.4, 0.28), (0.26, 0.6), (0.34, 0.86), (0.56, 0.9),
         (0.72, 0.74), (0.6, 0.56), (0.36, 0.6), (0.28, 0.72)],
    ],
    "7": [[(0.22, 0.12), (0.5, 0.12), (0.78, 0.12), (0.62, 0.45), (0.45, 0.9)]],
    "8": [
        [(0.66, 0.24), (0.5, 0.1), (0.32, 0.24), (0.44, 0.44), (0.66, 0.62), (0.68, 0.82),
         (0.5, 0.92), (0.3, 0.8), (0.36, 0.6), (0.6, 0.42), (0.68, 0.26)],
    ],
    "9": [[(0.7, 0.3), (0.52, 0.12), (0.32, 0.26), (0.36, 0.48), (0.56, 0.5), (0.7, 0.32), (0.7, 0.6), (0.62, 0.92)]],
}
# fmt: on


def draw(page: Page, *strokes: Points) -> None:
    """Draw with the mouse, smoothly through the points."""
    canvas = page.locator("canvas.drawing")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in smooth(stroke)]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def smooth(points: Points) -> Iterator[tuple[float, float]]:
    """A Catmull-Rom spline through the points."""
    p = np.asarray(points)
    ends = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for t in np.linspace(0, 1, STEPS, endpoint=False):
            x, y = ((2 * b) + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3) / 2
            yield float(x), float(y)
    yield points[-1]
