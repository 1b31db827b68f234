"""The HTML page of an evaluation, rendered from its template: equal evaluations give equal bytes."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from prequel import __version__
from prequel.services.offline.evaluation.result import Evaluation, HeldOutModel
from prequel.services.offline.report import headline, reliability, wording
from prequel.services.offline.report.curves import MAX_BANDS, drifts_of, plots_of
from prequel.services.offline.report.matrices import Matrix, matrix_of
from prequel.services.offline.report.mistakes import mistakes_by_model
from prequel.services.offline.report.pictures import Pictures
from prequel.services.producer.sources.natural_order import natural_key
from prequel.shared.status import MAX_LABELS, ClassStatus, Confusion, ModelStatus

TEMPLATES = Path(__file__).parent / "templates"
COLOURS = 6
"""Models that have a colour of their own, as many as people can tell apart; further ones share them, dashed."""
VERDICTS = {"better": "better", "worse": "worse", "open": "not told apart", "silent": "not judged"}


class Phase(NamedTuple):
    """Predictions of one kind, prequential or held out: what is shown of them, by model."""

    title: str
    matrices: dict[str, Matrix]
    reports: dict[str, str]
    diagrams: list[reliability.Diagram]


def render(evaluation: Evaluation, pictures: Pictures) -> str:
    """The page, with everything in it that it needs. Blocks for the pictures."""
    page = _template().render(
        **_about(evaluation),
        **_scores(evaluation),
        **_mistakes(evaluation, pictures),
        plots=plots_of(evaluation.prequential, list(evaluation.prequential.models)),
        max_bands=MAX_BANDS,
        drifts=drifts_of(evaluation.prequential),
        diagram=reliability,
        version=__version__,
    )
    return str(page)


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
        "colours": {model: f"series-{number % COLOURS + 1}" for number, model in enumerate(models)},
        "dashed": models[COLOURS:],
        "verdict_names": VERDICTS,
    }


def _scores(evaluation: Evaluation) -> dict[str, Any]:
    """The tables and diagrams of what was scored."""
    result, held_out, phases = evaluation.prequential, evaluation.held_out, _phases(evaluation)
    return {
        "result": result,
        "held_out": held_out,
        "scored": any(confusion.labels for confusion in result.confusion.values()),
        "best": _best(list(result.models.values())),
        "best_held_out": _best(list(held_out.models.values())) if held_out else {},
        "phases": phases,
        "dense": any(matrix.dense for phase in phases for matrix in phase.matrices.values()),
        "classes": {model: _classes(status) for model, status in result.models.items()},
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


def _phases(evaluation: Evaluation) -> list[Phase]:
    result, held_out = evaluation.prequential, evaluation.held_out
    errors = {model: status.calibration_error for model, status in result.models.items()}
    mixed = result.label_order.mixed
    phases = [
        Phase(
            "While learning",
            _matrices(result.confusion),
            evaluation.reports,
            [reliability.diagram_of(m, errors[m], result.reliability.get(m, []), mixed=mixed) for m in errors],
        )
    ]
    if held_out is not None:
        ends = held_out.models
        phases.append(
            Phase(
                "Held out",
                _matrices({model: end.confusion for model, end in ends.items()}),
                {model: end.report for model, end in ends.items()},
                [
                    reliability.diagram_of(m, end.calibration_error, end.reliability, mixed=True)
                    for m, end in ends.items()
                ],
            )
        )
    return phases


def _matrices(confusion: dict[str, Confusion]) -> dict[str, Matrix]:
    return {model: matrix_of(counts) for model, counts in confusion.items() if counts.labels}


def _classes(status: ModelStatus) -> list[tuple[str, ClassStatus]]:
    """The most frequent, in natural order."""
    frequent = sorted(status.classes.items(), key=lambda item: (-item[1].support, natural_key(item[0])))[:MAX_LABELS]
    return sorted(frequent, key=lambda item: natural_key(item[0]))


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


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_clean,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(wording, name)
        for name in ("count", "percent", "decimal", "interval", "points", "points_interval", "quantity", "unbroken")
    }
    return environment.get_template("report.html")


def _clean(value: Any) -> Any:
    """Every text that is put into the page, whatever characters a label or a name has; not what is HTML already."""
    return wording.readable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
