"""What was predicted while learning and what was held out, each with its matrices, reports and reliability curves."""

from collections.abc import Mapping
from typing import NamedTuple

from prequel.services.offline.evaluation.result import Evaluation, HeldOut
from prequel.services.offline.report.matrices import Matrix, matrix_of
from prequel.services.offline.report.reliability import Diagram, diagram_of
from prequel.shared.backtests import BacktestResult
from prequel.shared.status import Confusion


class Phase(NamedTuple):
    """Predictions of one kind, prequential or held out: what is shown of them, by model."""

    title: str
    matrices: dict[str, Matrix]
    reports: Mapping[str, str]
    diagrams: list[Diagram]


def phases_of(evaluation: Evaluation) -> list[Phase]:
    """One, or two where something was held out."""
    held_out = evaluation.held_out
    return [learning(evaluation.prequential, evaluation.reports), *([_held_out(held_out)] if held_out else [])]


def learning(result: BacktestResult, reports: Mapping[str, str]) -> Phase:
    """The predictions that were made before their labels were learned."""
    mixed, reliability = result.label_order.mixed, result.reliability
    diagrams = [
        diagram_of(model, status.calibration_error, reliability.get(model, []), mixed=mixed)
        for model, status in result.models.items()
    ]
    return Phase("While learning", _matrices(result.confusion), reports, diagrams)


def _held_out(held_out: HeldOut) -> Phase:
    ends = held_out.models
    return Phase(
        "Held out",
        _matrices({model: end.confusion for model, end in ends.items()}),
        {model: end.report for model, end in ends.items()},
        [diagram_of(model, end.calibration_error, end.reliability, mixed=True) for model, end in ends.items()],
    )


def _matrices(confusion: Mapping[str, Confusion]) -> dict[str, Matrix]:
    return {model: matrix_of(counts) for model, counts in confusion.items() if counts.labels}
