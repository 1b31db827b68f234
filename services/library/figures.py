"""Figures for notebooks: of an evaluation, of a back-test, or of a stream as it is now."""

import argparse
from collections.abc import Sequence
from contextlib import closing

from prequel.services.cli import composition
from prequel.services.library.live_scores import live
from prequel.services.offline.evaluation.errors import WrongOptions
from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.offline.figures.accuracy import accuracy_drawing
from prequel.services.offline.figures.calibration import calibration_drawing
from prequel.services.offline.figures.classes import classes_drawing, forgetting_drawing
from prequel.services.offline.figures.confusion import confusion_drawing
from prequel.services.offline.figures.figure import Figure
from prequel.services.offline.figures.mistakes import mistakes_drawing
from prequel.services.offline.report.mistakes import Mistakes, mistakes_by_model
from prequel.services.offline.report.ordering import in_order
from prequel.services.offline.report.phases import Phase, learning, phases_of
from prequel.services.offline.report.pictures import SourcePictures
from prequel.shared.backtests import BacktestResult
from prequel.shared.images.limits import ImageLimits

__all__ = ["Figure", "accuracy", "calibration", "classes", "confusion", "forgetting", "live", "mistakes"]

Source = Evaluation | BacktestResult
"""What has been scored: offline, by a back-test, or ``live`` by a stream."""


def accuracy(source: Source, *, models: str | Sequence[str] | None = None) -> Figure:
    """The accuracy of each model while it learned, with intervals that hold at all times, and the drifts.

    ``models`` are the specs that are shown; without it all. Raises PrequelError where there is none of this name.

    >>> prequel.figures.accuracy(evaluation)
    <Figure: Accuracy while learning>
    """
    result = _result(source)
    return Figure(accuracy_drawing(result, _chosen(result, models)))


def confusion(source: Source, *, model: str | None = None, held_out: bool = False) -> Figure:
    """Who is taken for whom, by ``model`` (the first one): while learning, or where ``held_out``, of these examples.

    Raises PrequelError where there is no such model, or nothing was held out.

    >>> prequel.figures.confusion(evaluation, model="ncm").save("confusion.svg")
    PosixPath('confusion.svg')
    """
    spec, phase = _model(source, model), _phase(source, held_out=held_out)
    return Figure(confusion_drawing(spec, phase.matrices.get(spec), phase.title.lower()))


def calibration(source: Source, *, models: str | Sequence[str] | None = None, held_out: bool = False) -> Figure:
    """Whether each model is right as often as it says, over the newest 4,000 predictions or those held out.

    Raises PrequelError as ``confusion``.

    >>> prequel.figures.calibration(evaluation)
    <Figure: Is it right as often as it says?>
    """
    result, phase = _result(source), _phase(source, held_out=held_out)
    chosen = _chosen(result, models)
    diagrams = [each for each in phase.diagrams if each.model in chosen]
    return Figure(calibration_drawing(diagrams, [*result.models], phase.title.lower()))


def mistakes(evaluation: Evaluation, *, model: str | None = None, held_out: bool = False) -> Figure:
    """Where ``model`` (the first one) was surest and wrong, as pictures where the images still are.

    Blocks for the pictures; raises PrequelError as ``confusion``.

    >>> prequel.figures.mistakes(evaluation)
    <Figure: Worst mistakes of ncm, while learning>
    """
    spec, phase = _model(evaluation, model), _phase(evaluation, held_out=held_out)
    if not isinstance(evaluation, Evaluation):
        raise WrongOptions(
            "only an evaluation knows its worst mistakes; of a stream client.predictions(wrong=...) does"
        )
    found = evaluation.held_out_mistakes if held_out else evaluation.mistakes
    settings = composition.load_settings(argparse.Namespace())
    limits = ImageLimits(settings.max_image_bytes, settings.max_pixels)
    with closing(SourcePictures(evaluation.folder, limits)) as pictures:
        shown = mistakes_by_model(found, [spec], pictures) or [Mistakes(spec, [], pictured=False)]
    return Figure(mistakes_drawing(shown[0], phase.title.lower()))


def classes(source: Source, *, model: str | None = None) -> Figure:
    """Precision, recall, F1 and what was forgotten of each class, by ``model`` (the first one).

    >>> prequel.figures.classes(evaluation, model="ncm")
    <Figure: Classes of ncm>
    """
    spec = _model(source, model)
    return Figure(classes_drawing(spec, _result(source).models[spec]))


def forgetting(source: Source, *, models: str | Sequence[str] | None = None) -> Figure:
    """How much each model has forgotten of each class: its best recall so far, less the newest.

    >>> prequel.figures.forgetting(evaluation)
    <Figure: Forgetting>
    """
    result = _result(source)
    return Figure(forgetting_drawing(result.models, _chosen(result, models)))


def _result(source: Source) -> BacktestResult:
    if not isinstance(source, Evaluation | BacktestResult):
        raise WrongOptions(
            f"{type(source).__name__} is nothing to draw: give what prequel.evaluate, client.backtest or "
            "prequel.figures.live found"
        )
    return in_order(source).prequential if isinstance(source, Evaluation) else source


def _phase(source: Source, *, held_out: bool) -> Phase:
    phases = phases_of(in_order(source)) if isinstance(source, Evaluation) else [learning(source, {})]
    if held_out and len(phases) == 1:
        raise WrongOptions("nothing was held out here: evaluate with holdout=0.2, or with the name of a split")
    return phases[-1 if held_out else 0]


def _model(source: Source, model: str | None) -> str:
    return _chosen(_result(source), None if model is None else [model])[0]


def _chosen(result: BacktestResult, models: str | Sequence[str] | None) -> list[str]:
    """In the order of the result, whatever order they are named in. A text is one model."""
    models = [models] if isinstance(models, str) else models
    unknown = [model for model in models or () if model not in result.models]
    if unknown:
        raise WrongOptions(f"there is no model {unknown[0]!r} here: there are {', '.join(result.models)}")
    if models is not None and not models:
        raise WrongOptions("no model is named: leave models out to see all")
    return [model for model in result.models if models is None or model in models]
