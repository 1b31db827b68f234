"""The figure of accuracy while learning: the curves of each model with their intervals, and the drifts."""

from collections.abc import Sequence

from prequel.services.offline.figures.series import LINE, name_of
from prequel.services.offline.figures.shapes import Curves, Drawing, Shape, Text
from prequel.services.offline.figures.text import width, wrap
from prequel.services.offline.report import wording
from prequel.services.offline.report.colours import dashed, series
from prequel.services.offline.report.curves import MAX_BANDS, Plot, drifts_of, plots_of
from prequel.shared.backtests import BacktestResult
from prequel.shared.status import ModelStatus

TITLE = "Accuracy while learning"
NOTHING = "No prediction was scored, so there is no curve."
WIDTH, GAP = 720, 28
"""Of the two plots and between them: a notebook's page is a little wider on most screens."""
LEFT, TOP, HEIGHT, BELOW = 46, 26, 200, 52
"""Room for the numbers at the left, for the plot's name, for the plot, and for the numbers below it and air."""


def accuracy_drawing(result: BacktestResult, models: Sequence[str]) -> Drawing:
    """Of these models of the result; they keep the colours that they have among all."""
    plots = plots_of(result, models)
    if not plots:
        return Drawing(TITLE, NOTHING, [], WIDTH, 0)
    room = (WIDTH - GAP) / 2
    shapes = [shape for n, plot in enumerate(plots) for shape in _plot(plot, n * (room + GAP), room, result)]
    y = TOP + HEIGHT + BELOW
    left = min(WIDTH / 2, max(width(model, 13, bold=True) for model in models) + 50)
    for model in models:
        shapes += [*name_of(model, [*result.models], 0, y, left - 20), Text(left, y, _share(result.models[model]))]
        y += LINE
    for drift in drifts_of(result):
        if drift.model in models:
            for line in wrap(f"Dashed upright: {drift.text}.", WIDTH, 12):
                shapes.append(Text(0, y, line, "muted", 12))
                y += 18
    return Drawing(TITLE, _words(models), shapes, WIDTH, y - 10)


def _words(models: Sequence[str]) -> str:
    only = " Of several models, only the first one's is drawn." if len(models) > MAX_BANDS else ""
    bands = f"The bands are where the accuracy lies with 95{wording.NBSP}% certainty, however often one looks.{only}"
    return f"Each example is predicted before it is learned. {bands}"


def _plot(plot: Plot, x: float, room: float, result: BacktestResult) -> list[Shape]:
    models = [*result.models]
    left, across = x + LEFT, room - LEFT
    lines = Curves(left, TOP, across, HEIGHT, plot, series(models), dashed(models), models[0])
    below = [
        Text(left + across * tick.at / 100, TOP + HEIGHT + 18, tick.text, "muted", 12, anchor="middle")
        for tick in plot.x_ticks
    ]
    up = [
        Text(left - 8, TOP + HEIGHT * tick.at / 100 + 4, tick.text, "muted", 12, anchor="end") for tick in plot.y_ticks
    ]
    return [Text(x, 12, plot.title, "muted", weight=600), lines, *below, *up]


def _share(status: ModelStatus) -> str:
    share = f"{wording.percent(status.accuracy)} right of {wording.count(status.scored)}"
    return f"{share} ({wording.interval(status.interval)})" if status.interval else share
