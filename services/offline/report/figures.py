"""The report's figures for notebooks: Matplotlib figures, in the report's colours, and as SVG of always equal bytes."""

import io
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prequel.services.offline.report import wording
from prequel.services.offline.report.axes import accuracy_range
from prequel.services.offline.report.curves import MAX_BANDS, curve_of
from prequel.services.offline.report.reliability import pool
from prequel.services.producer.sources.natural_order import natural_key
from prequel.shared.backtests import BacktestResult
from prequel.shared.status import Confusion, CurvePoint

COLOURS = ("#2557d6", "#c2570c", "#0f8a7e", "#a3279b", "#64748b", "#92700a")
"""Of the first six models, as the page of a stream has them; further ones share them, dashed."""
MAX_NUMBERS = 20
"""Classes in a confusion matrix up to which counts are written into the cells: of more, they run into each other."""


def accuracy_curves(result: BacktestResult, *, recent: bool = False) -> Figure:
    """The accuracy of each model since the start, with its interval, or over the newest labels (``recent``)."""
    figure, axes = _new("Scored examples", "Accuracy")
    models = list(result.models)
    curves = {
        model: curve_of(result.curve, model, lambda point: point.window_accuracy if recent else point.accuracy)
        for model in models
    }
    for number, (model, curve) in enumerate(curves.items()):
        colour, style = _style(number)
        axes.plot(*_columns(curve), color=colour, linestyle=style, label=model, zorder=3 if number == 0 else 2)
        if not recent and (number == 0 or len(models) <= MAX_BANDS):
            _fill_interval(axes, result.curve, model, colour)
    for mark in result.drifts if recent else ():
        axes.axvline(mark.scored, color=_style(models.index(mark.model))[0], linestyle=":", linewidth=1)
    axes.set_ylim(*accuracy_range([[accuracy for _, accuracy in curve] for curve in curves.values()]))
    axes.legend(frameon=False, loc="lower right")
    return figure


def reliability_curves(result: BacktestResult) -> Figure:
    """How sure each model was, and how often it was right then; on the diagonal both are the same."""
    figure, axes = _new("How sure", "How often right")
    axes.plot([0, 1], [0, 1], color="#5a6373", linestyle=":", linewidth=1)
    for number, model in enumerate(result.models):
        colour, style = _style(number)
        points = pool(result.reliability.get(model, []))
        pairs = [(point.confidence, point.accuracy) for point in points]
        axes.plot(*_columns(pairs), color=colour, linestyle=style, marker="o", markersize=4, label=model)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.legend(frameon=False, loc="upper left")
    return figure


def confusion_matrix(confusion: Confusion) -> Figure:
    """Rows are what examples are, columns what the model predicted; the colour is the root of the share of the row."""
    figure, axes = _new("Predicted", "Is")
    labels = confusion.labels
    order = sorted(range(len(labels)), key=lambda number: natural_key(labels[number]))
    counts = [[confusion.rows[truth][predicted] for predicted in order] for truth in order]
    shares = [[(value / max(1, sum(row))) ** 0.5 for value in row] for row in counts]
    if labels:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [_plain(labels[number]) for number in order]
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > MAX_NUMBERS // 2 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    if len(labels) <= MAX_NUMBERS:
        _write_counts(axes, counts, shares)
    return figure


def as_svg(figure: Figure) -> str:
    """The figure as SVG text: equal figures give equal bytes, and the reader's own fonts are used."""
    file = io.StringIO()
    with rc_context({"svg.hashsalt": "prequel", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _plain(label: str) -> str:
    """A label as it is: Matplotlib would take what is between two dollar signs for a formula."""
    return wording.readable(label).replace("$", r"\$")


def _new(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#e2e5ea")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _style(number: int) -> tuple[str, str]:
    return COLOURS[number % len(COLOURS)], "-" if number < len(COLOURS) else "--"


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


def _fill_interval(axes: Axes, points: Sequence[CurvePoint], model: str, colour: str) -> None:
    ends = [(point.scored, *point.interval[model]) for point in points if model in point.interval]
    if ends:
        scored, low, high = zip(*ends, strict=True)
        axes.fill_between(scored, low, high, color=colour, alpha=0.12, linewidth=0)


def _write_counts(axes: Axes, counts: Sequence[Sequence[int]], shares: Sequence[Sequence[float]]) -> None:
    for row, values in enumerate(counts):
        for column, value in enumerate(values):
            colour = "white" if shares[row][column] > 0.6 else "black"
            if value:
                axes.text(column, row, wording.count(value), ha="center", va="center", color=colour, fontsize=8)
