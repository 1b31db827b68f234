"""A stream's state as the status that the gateway serves."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from prequel.services.learner.fold.calibration.reliability import calibration_error, reliability_curve
from prequel.services.learner.fold.drift.feature_drift import THRESHOLD
from prequel.services.learner.fold.evaluation.class_metrics import ClassMetrics
from prequel.services.learner.fold.evaluation.intervals import accuracy_interval
from prequel.services.learner.fold.evaluation.verdicts import verdict
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.log.base import Position
from prequel.shared.status import (
    MAX_LABELS,
    MAX_RENAMED,
    CatchUpStatus,
    ClassStatus,
    Confusion,
    CurvePoint,
    DriftMark,
    FeatureDriftMark,
    Interval,
    LabelOrderStatus,
    ModelStatus,
    RandomSampleStatus,
    ReliabilityPoint,
    SetStatus,
    SnapshotStatus,
    StreamDetail,
    StreamStatus,
    UnknownStatus,
    VerdictStatus,
)

MAX_INTERVALS = 50
"""Points of a curve that get one, at most, and the last. Each takes 0.3 ms where it is new, while events wait: with ten
times as many, the first look at a page would hold them up for a third of a second."""


def stream_status(
    state: StreamState,
    position: Position,
    *,
    now: float,
    snapshot: SnapshotStatus | None,
    address: str | None,
    catching_up: CatchUpStatus | None = None,
) -> StreamStatus:
    """What is published of a stream at ``position``; ``now`` is in seconds since the epoch.

    Its cost does not grow with the stream: of many classes only the most frequent are in it, and the curve and the
    confusion matrices are in the detail, which is made when somebody asks.
    """
    specs = state.config.models
    frequent = state.scores.frequent_classes(MAX_LABELS)
    settings = state.decisions.settings
    return StreamStatus(
        stream=state.name,
        position=str(position),
        updated_at=now,
        backbone=state.backbone,
        dim=state.dim,
        images=state.images,
        labelled=state.labelled,
        label_coverage=state.labelled / state.images if state.images else 0.0,
        pending=state.pending,
        waiting=len(state.waiting),
        labels=state.class_names,
        statuses=dict(sorted(state.statuses.items())),
        champion=specs[0],
        window=state.config.window,
        models={spec: _model(state, number, frequent) for number, spec in enumerate(specs)},
        drifts=_marks(state),
        feature_drift=state.feature_drift.score,
        feature_drift_threshold=THRESHOLD,
        feature_drifts=_feature_marks(state),
        unknown=_unknown(state),
        verdicts=_verdicts(state),
        random_sample=_random_sample(state),
        label_reasons=state.label_reasons.counts(),
        sets=_sets(state),
        label_order=LabelOrderStatus(mixed=state.label_order.mixed, text=state.label_order.text),
        conflicts=state.conflicts.numbers(),
        snapshot=snapshot,
        address=address,
        renamed=dict(islice(state.names.renamed().items(), MAX_RENAMED)),
        title=settings.pop("title", ""),
        goal=settings.pop("goal", None),
        settings=settings,
        catching_up=catching_up,
        other_features={backbone: count for backbone, (_, count) in state.other_features.items()},
    )


def stream_detail(state: StreamState, position: Position) -> StreamDetail:
    """The parts of a status that grow with the stream."""
    specs = state.config.models
    classes = {spec: _classes(state, state.scores.class_metrics(number), None) for number, spec in enumerate(specs)}
    return StreamDetail.model_construct(
        stream=state.name,
        position=str(position),
        classes=classes,
        curve=_curve(state),
        confusion={spec: _confusion(state, number) for number, spec in enumerate(specs)},
        reliability={
            spec: [
                ReliabilityPoint(confidence=confidence, accuracy=accuracy, count=predictions)
                for confidence, accuracy, predictions in reliability_curve(calibrator.reliability)
            ]
            for spec, calibrator in zip(specs, state.calibrators, strict=True)
        },
    )


def _model(state: StreamState, model: int, frequent: Sequence[int]) -> ModelStatus:
    scores = state.scores
    metrics, at = scores.metrics_of(model)
    only = frequent if len(state.labels) > MAX_LABELS else None
    return ModelStatus(
        scored=metrics.scored,
        accuracy=metrics.accuracy(at),
        interval=accuracy_interval(metrics.tallies[at].right, metrics.scored),
        window_accuracy=scores.window_accuracy(model),
        kappa=scores.kappa(model),
        log_loss=scores.log_loss(model),
        fading_accuracy=scores.fading_accuracy(model),
        calibration_error=calibration_error(state.calibrators[model].reliability),
        drifts=state.drift_counts[model],
        classes=_classes(state, scores.class_metrics(model), only),
    )


def _classes(state: StreamState, metrics: ClassMetrics, only: Sequence[int] | None) -> dict[str, ClassStatus]:
    """The metrics of the classes ``only``, or of all that were ever true or predicted."""
    if only is None:
        only = np.flatnonzero((metrics.support > 0) | ~np.isnan(metrics.precision)).tolist()
    rows = zip(*(column[list(only)].tolist() for column in metrics), strict=True)
    return {
        state.class_names[label]: ClassStatus.model_construct(
            precision=_number(precision),
            recall=_number(recall),
            f1=_number(f1),
            support=support,
            forgetting=_number(forgetting),
        )
        for label, (precision, recall, f1, support, forgetting) in zip(only, rows, strict=True)
    }


def _number(value: float) -> float | None:
    return value if value == value else None  # JSON has no nan.


def _unknown(state: StreamState) -> UnknownStatus | None:
    """None where nobody asked for abstentions."""
    if not (state.config.unknown_probability or state.config.unknown_distance):
        return None
    counts = state.abstentions
    accuracy = counts.right / counts.answered if counts.answered else None
    return UnknownStatus(
        abstained=counts.abstained, novel=counts.novel, answered=counts.answered, answered_accuracy=accuracy
    )


def _verdicts(state: StreamState) -> dict[str, VerdictStatus]:
    champion, *challengers = state.config.models
    since = [comparison.since for comparison in state.comparisons.comparisons]
    starts = [at if index else 0 for at, index in zip(state.scores.curve_positions(since), since, strict=True)]
    statuses = {}
    for spec, comparison, start in zip(challengers, state.comparisons.comparisons, starts, strict=True):
        actual = verdict(comparison, champion, spec, mixed=state.label_order.mixed)
        statuses[spec] = VerdictStatus(
            verdict=actual.kind,
            scored=actual.counts.scored,
            wins=actual.counts.wins,
            losses=actual.counts.losses,
            difference=actual.difference,
            interval=actual.interval,
            since=start,
            text=actual.text,
        )
    return statuses


def _random_sample(state: StreamState) -> RandomSampleStatus | None:
    scored, right = state.label_reasons.samples[0]
    interval = accuracy_interval(right, scored)
    return interval and RandomSampleStatus(labelled=scored, accuracy=right / scored, interval=interval)


def _sets(state: StreamState) -> SetStatus:
    scored, held, total_size = state.sets.recent
    return SetStatus(
        level=state.sets.level,
        coverage=held / scored if scored else None,
        mean_size=total_size / scored if scored else None,
        scored=scored,
    )


def _curve(state: StreamState) -> list[CurvePoint]:
    specs, points = state.config.models, state.scores.curve()
    step = 1  # A power of two: as the curve grows, those that are left are known already.
    while len(points) > MAX_INTERVALS * step:
        step *= 2
    return [
        CurvePoint.model_construct(
            scored=point.scored,
            accuracy={spec: value for spec, value in zip(specs, point.accuracy, strict=True) if value is not None},
            window_accuracy={spec: value for spec, value in zip(specs, point.recent, strict=True) if value is not None},
            interval=_intervals(specs, point.counts) if number % step == 0 or point is points[-1] else {},
        )
        for number, point in enumerate(points)
    ]


def _intervals(specs: Sequence[str], counts: Sequence[tuple[int, int]]) -> dict[str, Interval]:
    """By model; computed once for the same counts, and those of a curve's older points seldom change."""
    intervals = ((spec, accuracy_interval(right, scored)) for spec, (right, scored) in zip(specs, counts, strict=True))
    return {spec: interval for spec, interval in intervals if interval is not None}


def _marks(state: StreamState) -> list[DriftMark]:
    """On the curve's axis, which leaves out what was retracted."""
    positions = state.scores.curve_positions([mark.scored for mark in state.marks])
    return [
        DriftMark(scored=position, model=mark.model, detector=mark.detector)
        for position, mark in zip(positions, state.marks, strict=True)
    ]


def _feature_marks(state: StreamState) -> list[FeatureDriftMark]:
    positions = state.scores.curve_positions([mark.scored for mark in state.feature_marks])
    return [
        FeatureDriftMark(scored=position, images=mark.images, score=mark.score)
        for position, mark in zip(positions, state.feature_marks, strict=True)
    ]


def _confusion(state: StreamState, model: int) -> Confusion:
    matrix, frequent = state.scores.tallies[model].confusion, state.scores.frequent_classes(MAX_LABELS)
    columns = [*frequent, -1]
    return Confusion(
        labels=state.names_of(frequent),
        rows=[[matrix.get((truth, predicted), 0) for predicted in columns] for truth in frequent],
    )
