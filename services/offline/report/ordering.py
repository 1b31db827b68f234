"""The models of an evaluation in the order in which they were named, wherever they stand by name."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from prequel.services.offline.evaluation.result import Evaluation, HeldOut
from prequel.shared.backtests import BacktestResult

Value = TypeVar("Value")


def in_order(evaluation: Evaluation) -> Evaluation:
    """The same evaluation. One that was read from a file has its names sorted, and a report must not depend on that.

    The champion is the first: it has the first colour, and stands first in every table.
    """
    models = evaluation.models
    changes = {
        "prequential": _prequential(evaluation.prequential, models),
        "reports": _sorted(evaluation.reports, models),
        "held_out": evaluation.held_out and _held_out(evaluation.held_out, models),
    }
    return evaluation.model_copy(update=changes)


def _prequential(result: BacktestResult, models: Sequence[str]) -> BacktestResult:
    by_model = ("models", "verdicts", "confusion", "reliability")
    curve = [point.model_copy(update={"accuracy": _sorted(point.accuracy, models)}) for point in result.curve]
    return result.model_copy(
        update={"curve": curve, **{name: _sorted(getattr(result, name), models) for name in by_model}}
    )


def _held_out(held_out: HeldOut, models: Sequence[str]) -> HeldOut:
    return held_out.model_copy(
        update={"models": _sorted(held_out.models, models), "verdicts": _sorted(held_out.verdicts, models)}
    )


def _sorted(by_model: Mapping[str, Value], models: Sequence[str]) -> dict[str, Value]:
    return {model: by_model[model] for model in models if model in by_model}
