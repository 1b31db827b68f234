"""The HTML page of an evaluation, rendered from its template: equal evaluations give equal bytes."""

from collections.abc import Sequence
from typing import Any

from prequel import __version__
from prequel.services.offline.evaluation.result import Evaluation, HeldOutModel
from prequel.services.offline.report import headline, reliability
from prequel.services.offline.report.classes import frequent
from prequel.services.offline.report.colours import dashed, series
from prequel.services.offline.report.curves import MAX_BANDS, drifts_of, plots_of
from prequel.services.offline.report.mistakes import mistakes_by_model
from prequel.services.offline.report.phases import phases_of
from prequel.services.offline.report.pictures import Pictures
from prequel.services.offline.report.templating import render_template
from prequel.shared.status import MAX_LABELS, ModelStatus

VERDICTS = {"better": "better", "worse": "worse", "open": "not told apart", "silent": "not judged"}


def render(evaluation: Evaluation, pictures: Pictures) -> str:
    """The page, with everything in it that it needs. Blocks for the pictures."""
    return render_template(
        "report.html",
        **_about(evaluation),
        **_scores(evaluation),
        **_mistakes(evaluation, pictures),
        plots=plots_of(evaluation.prequential, list(evaluation.prequential.models)),
        max_bands=MAX_BANDS,
        drifts=drifts_of(evaluation.prequential),
        diagram=reliability,
        version=__version__,
    )


def _about(evaluation: Evaluation) -> dict[str, Any]:
    """The words at the top and the end, and how each model is drawn."""
    models = list(evaluation.prequential.models)
    return {
        "title": f"Evaluation of {_last_part(evaluation.source)}",
        "evaluation": evaluation,
        "figures": headline.figures_of(evaluation),
        "sentences": headline.sentences_of(evaluation),
        "notes": headline.notes_of(evaluation),
        "alerts": headline.alerts_of(evaluation),
        "facts": headline.facts_of(evaluation),
        "models": models,
        "colours": series(models),
        "dashed": dashed(models),
        "verdict_names": VERDICTS,
    }


def _scores(evaluation: Evaluation) -> dict[str, Any]:
    """The tables and diagrams of what was scored."""
    result, held_out, phases = evaluation.prequential, evaluation.held_out, phases_of(evaluation)
    return {
        "result": result,
        "held_out": held_out,
        "scored": any(confusion.labels for confusion in result.confusion.values()),
        "best": _best(list(result.models.values())),
        "best_held_out": _best(list(held_out.models.values())) if held_out else {},
        "phases": phases,
        "dense": any(matrix.dense for phase in phases for matrix in phase.matrices.values()),
        "classes": {model: frequent(status.classes) for model, status in result.models.items()},
        "forgetting": {model: _mean_forgetting(status) for model, status in result.models.items()},
        "many_classes": any(len(status.classes) >= MAX_LABELS for status in result.models.values()),
        "max_classes": MAX_LABELS,
    }


def _mistakes(evaluation: Evaluation, pictures: Pictures) -> dict[str, Any]:
    models = list(evaluation.prequential.models)
    learned = mistakes_by_model(evaluation.mistakes, models, pictures)
    held_out = mistakes_by_model(evaluation.held_out_mistakes, models, pictures)
    pictured = any(each.pictured for each in [*learned, *held_out])
    return {"mistakes": learned, "held_out_mistakes": held_out, "pictured": pictured}


def _last_part(source: str) -> str:
    """What people call a source: the last part of its path."""
    return source.replace("\\", "/").rstrip("/").rpartition("/")[2] or source


def _mean_forgetting(status: ModelStatus) -> float | None:
    known = [each.forgetting for each in status.classes.values() if each.forgetting is not None]
    return sum(known) / len(known) if known else None


def _best(models: Sequence[ModelStatus] | Sequence[HeldOutModel]) -> dict[str, float]:
    """By figure, the best of several models; nothing where there is only one to choose from."""
    if len(models) < 2:
        return {}
    high = {name: [getattr(model, name) for model in models] for name in ("accuracy", "kappa")}
    low = {name: [getattr(model, name) for model in models] for name in ("log_loss", "calibration_error")}
    found = {name: max(known) for name, values in high.items() if (known := [v for v in values if v is not None])}
    return found | {name: min(known) for name, values in low.items() if (known := [v for v in values if v is not None])}
