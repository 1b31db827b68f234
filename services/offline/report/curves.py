"""The accuracy curves as parts of a drawing that is stretched to the width of the page."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from prequel.services.offline.report import wording
from prequel.services.offline.report.axes import Tick, accuracy_range, accuracy_ticks, count_ticks
from prequel.shared.backtests import BacktestResult
from prequel.shared.status import CurvePoint, DriftMark

SIDE = 1_000
"""Units of the drawing, in both directions: a point is placed to a tenth of one, less than a screen can show."""
MAX_BANDS = 2
"""Models up to which each one's interval is drawn; of more, only the first one's: three bands are one grey."""

MAX_NAMED = 8
"""Drifts of a model that are named below the plot: more numbers nobody reads, and all are marked in it."""

Curve = list[tuple[float, float]]
"""Scored examples and accuracy, in order."""


class Line(NamedTuple):
    """A model's line, or the outline of its band: ``path`` is the points in units of the drawing."""

    model: str
    path: str


class Mark(NamedTuple):
    """A drift: ``left`` is where, in per cent of the width."""

    model: str
    left: float
    text: str


class Drifts(NamedTuple):
    """Those of one model, in words."""

    model: str
    text: str


class Plot(NamedTuple):
    """One drawing. ``x_ticks`` and ``y_ticks`` are texts with their place, in per cent from the left and the top."""

    title: str
    lines: list[Line]
    bands: list[Line]
    marks: list[Mark]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def plots_of(result: BacktestResult, models: Sequence[str]) -> list[Plot]:
    """The accuracy since the start, and over the newest labels; none where nothing was scored."""
    if not result.curve:
        return []
    banded = models if len(models) <= MAX_BANDS else models[:1]
    start = _Measure("Since the start", lambda point: point.accuracy)
    recent = _Measure("Over the newest labels", lambda point: point.window_accuracy)
    return [_plot(result, models, start, banded=banded, drifts=()), _plot(result, models, recent, drifts=result.drifts)]


class _Measure(NamedTuple):
    title: str
    of: Callable[[CurvePoint], Mapping[str, float]]


def curve_of(points: Sequence[CurvePoint], model: str, of: Callable[[CurvePoint], Mapping[str, float]]) -> Curve:
    """One model's curve, of the points that have a value of it."""
    return [(float(point.scored), of(point)[model]) for point in points if model in of(point)]


class _Scale(NamedTuple):
    end: float
    bottom: float
    top: float

    def x(self, scored: float) -> float:
        return scored / max(self.end, 1.0)

    def y(self, accuracy: float) -> float:
        return 1.0 - (accuracy - self.bottom) / (self.top - self.bottom)

    def path(self, curve: Curve) -> str:
        """One point alone twice: then it is drawn as a dot."""
        twice = curve if len(curve) > 1 else curve * 2
        return " ".join(f"{SIDE * self.x(scored):.1f},{SIDE * self.y(accuracy):.1f}" for scored, accuracy in twice)


def _plot(
    result: BacktestResult,
    models: Sequence[str],
    measure: _Measure,
    *,
    banded: Sequence[str] = (),
    drifts: Sequence[DriftMark],
) -> Plot:
    end = result.curve[-1].scored
    curves = {model: curve_of(result.curve, model, measure.of) for model in models}
    bottom, top = accuracy_range([[accuracy for _, accuracy in curve] for curve in curves.values()])
    scale = _Scale(float(end), bottom, top)
    return Plot(
        measure.title,
        # The first model is drawn last, above the others.
        [Line(model, scale.path(curve)) for model, curve in reversed(curves.items()) if curve],
        _bands(result.curve, banded, scale),
        _marks(drifts, scale),
        [Tick(_per_cent(scale.x(tick.at)), tick.text) for tick in count_ticks(end)],
        [Tick(_per_cent(scale.y(tick.at)), tick.text) for tick in accuracy_ticks(bottom, top)],
    )


def _bands(points: Sequence[CurvePoint], models: Sequence[str], scale: _Scale) -> list[Line]:
    """Along the upper ends of the intervals, and back along the lower ones."""
    bands = []
    for model in models:
        ends = [(float(point.scored), *point.interval[model]) for point in points if model in point.interval]
        outline = [(x, high) for x, _, high in ends] + [(x, low) for x, low, _ in reversed(ends)]
        if outline:
            bands.append(Line(model, scale.path(outline)))
    return bands


def _marks(drifts: Sequence[DriftMark], scale: _Scale) -> list[Mark]:
    return [
        Mark(
            mark.model,
            _per_cent(scale.x(mark.scored)),
            f"The error of {mark.model} drifted after {mark.scored:,} labels ({mark.detector}).",
        )
        for mark in drifts
    ]


def drifts_of(result: BacktestResult) -> list[Drifts]:
    """After how many labels the error of each model drifted, of those whose error did."""
    after = {model: [mark.scored for mark in result.drifts if mark.model == model] for model in result.models}
    return [Drifts(model, _drifts_text(model, scored)) for model, scored in after.items() if scored]


def _drifts_text(model: str, scored: Sequence[int]) -> str:
    named = [f"{each:,}" for each in scored[:MAX_NAMED]]
    more = f", and {wording.quantity(len(scored) - MAX_NAMED, 'more time')}" if len(scored) > MAX_NAMED else ""
    return f"the error of {model} drifted after {', '.join(named) if more else wording.listed(named)} labels{more}"


def _per_cent(share: float) -> float:
    return round(100 * share, 2)
