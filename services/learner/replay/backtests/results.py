"""The results of back-tests: of one replay, or of two as one."""

from collections.abc import Sequence
from typing import Any, TypeVar

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.publishing.stream_status import stream_detail, stream_status
from prequel.shared.backtests import BacktestResult
from prequel.shared.log.base import Position
from prequel.shared.status import CurvePoint, VerdictStatus

Value = TypeVar("Value")


def result_of(state: StreamState, verdicts: dict[str, VerdictStatus], end: Position) -> BacktestResult:
    """All that a replay has found, up to ``end``; where it began is for the caller to say."""
    status: Any = stream_status(state, end, now=0.0, snapshot=None, address=None)
    detail = stream_detail(state, end)
    return BacktestResult(
        begin="",
        end=str(end),
        images=state.images,
        labelled=state.labelled,
        champion=state.config.models[0],
        models=status.models,
        verdicts=verdicts,
        label_order=status.label_order,
        curve=detail.curve,
        confusion=detail.confusion,
        reliability=detail.reliability,
        drifts=status.drifts,
    )


def join_results(champion: BacktestResult, others: BacktestResult, backbone: str) -> BacktestResult:
    """Both as one: the champion as it is called, the models of ``others`` as ``row_name`` says."""
    drifts = [mark.model_copy(update={"model": row_name(mark.model, backbone)}) for mark in others.drifts]
    return champion.model_copy(
        update={
            "backbone": backbone,
            "models": champion.models | _named(others.models, backbone),
            "curve": _join_curves(champion.curve, [_named_point(point, backbone) for point in others.curve]),
            "confusion": champion.confusion | _named(others.confusion, backbone),
            "reliability": champion.reliability | _named(others.reliability, backbone),
            "drifts": sorted([*champion.drifts, *drifts], key=lambda mark: mark.scored),
        }
    )


def row_name(model: str, backbone: str) -> str:
    """What a model that was tried on another backbone is called: the champion's own spec may be among them."""
    return f"{model} on {backbone}"


def _named(by_model: dict[str, Value], backbone: str) -> dict[str, Value]:
    return {row_name(model, backbone): value for model, value in by_model.items()}


def _named_point(point: CurvePoint, backbone: str) -> CurvePoint:
    return CurvePoint(
        scored=point.scored,
        accuracy=_named(point.accuracy, backbone),
        window_accuracy=_named(point.window_accuracy, backbone),
        interval=_named(point.interval, backbone),
    )


def _join_curves(curve: Sequence[CurvePoint], other: Sequence[CurvePoint]) -> list[CurvePoint]:
    """A model that reacts to drifts is not scored right after one: then a point may have a part of the models only."""
    points = {point.scored: point for point in curve}
    for point in other:
        before = points.get(point.scored)
        points[point.scored] = _join_points(before, point) if before else point
    return [points[scored] for scored in sorted(points)]


def _join_points(one: CurvePoint, other: CurvePoint) -> CurvePoint:
    return CurvePoint(
        scored=one.scored,
        accuracy=one.accuracy | other.accuracy,
        window_accuracy=one.window_accuracy | other.window_accuracy,
        interval=one.interval | other.interval,
    )
