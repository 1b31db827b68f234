"""A stream's state as the status that the gateway serves and the metrics that Prometheus scrapes."""

from collections.abc import Sequence

import numpy as np
from prometheus_client import Gauge

from prequel.services.learner.fold.prequential import PerClass
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.log.base import Position
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.status import (
    MAX_LABELS,
    ClassStatus,
    Confusion,
    CurvePoint,
    DriftMark,
    ModelStatus,
    SnapshotStatus,
    StreamDetail,
    StreamStatus,
    UnknownStatus,
)


def describe(
    state: StreamState, position: Position, *, now: float, snapshot: SnapshotStatus | None, address: str | None
) -> StreamStatus:
    """What is published of a stream at ``position``; ``now`` is in seconds since the epoch.

    Its cost does not grow with the stream: of many classes only the most frequent are in it, and the curve and the
    confusion matrices are in the ``detail``, which is made when somebody asks.
    """
    specs = state.limits.models
    shown = state.scores.frequent(MAX_LABELS)
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
        labels=state.labels,
        statuses=dict(sorted(state.statuses.items())),
        champion=specs[0],
        window=state.limits.window,
        models={spec: _model(state, number, shown) for number, spec in enumerate(specs)},
        drifts=_marks(state),
        feature_drift=state.feature_drift.score,
        unknown=_unknown(state),
        conflicts=state.conflicts.numbers(),
        snapshot=snapshot,
        address=address,
    )


def detail(state: StreamState, position: Position) -> StreamDetail:
    """The parts of a status that grow with the stream."""
    specs = state.limits.models
    return StreamDetail.model_construct(
        stream=state.name,
        position=str(position),
        classes={spec: _classes(state, state.scores.per_class(number), None) for number, spec in enumerate(specs)},
        curve=_curve(state),
        confusion={spec: _confusion(state, number) for number, spec in enumerate(specs)},
    )


def _model(state: StreamState, model: int, shown: Sequence[int]) -> ModelStatus:
    scores = state.scores
    return ModelStatus(
        scored=scores.of(model)[0].held,
        accuracy=scores.accuracy(model),
        window_accuracy=scores.window_accuracy(model),
        kappa=scores.kappa(model),
        log_loss=scores.log_loss(model),
        fading_accuracy=scores.fading_accuracy(model),
        drifts=state.drifted[model],
        classes=_classes(state, scores.per_class(model), shown if len(state.labels) > MAX_LABELS else None),
    )


def _classes(state: StreamState, found: PerClass, shown: Sequence[int] | None) -> dict[str, ClassStatus]:
    """Of the classes ``shown``, or of all that were ever true or predicted."""
    if shown is None:
        shown = np.flatnonzero((found.support > 0) | ~np.isnan(found.precision)).tolist()
    rows = zip(*(column[list(shown)].tolist() for column in found), strict=True)
    return {
        state.labels[label]: ClassStatus.model_construct(
            precision=_number(precision),
            recall=_number(recall),
            f1=_number(f1),
            support=support,
            forgetting=_number(forgetting),
        )
        for label, (precision, recall, f1, support, forgetting) in zip(shown, rows, strict=True)
    }


def _number(value: float) -> float | None:
    return value if value == value else None  # nan is nothing


def _unknown(state: StreamState) -> UnknownStatus | None:
    """None where nobody asked for abstentions."""
    if not (state.limits.unknown_probability or state.limits.unknown_distance):
        return None
    held, novel, answered, right = state.unknowns.numbers()
    accuracy = right / answered if answered else None
    return UnknownStatus(abstained=held, novel=novel, answered=answered, answered_accuracy=accuracy)


def _curve(state: StreamState) -> list[CurvePoint]:
    specs = state.limits.models
    return [
        CurvePoint.model_construct(
            scored=scored,
            accuracy={spec: value for spec, value in zip(specs, accuracy, strict=True) if value is not None},
            window_accuracy={spec: value for spec, value in zip(specs, recent, strict=True) if value is not None},
        )
        for scored, accuracy, recent in state.scores.points()
    ]


def _marks(state: StreamState) -> list[DriftMark]:
    """On the curve's axis, which leaves out what was retracted."""
    places = state.scores.places([mark.scored for mark in state.marks])
    return [
        DriftMark(scored=place, model=mark.model, detector=mark.detector)
        for place, mark in zip(places, state.marks, strict=True)
    ]


def _confusion(state: StreamState, model: int) -> Confusion:
    matrix, shown = state.scores.tallies[model].confusion, state.scores.frequent(MAX_LABELS)
    columns = [*shown, -1]
    return Confusion(
        labels=[state.labels[label] for label in shown],
        rows=[[matrix.get((truth, guess), 0) for guess in columns] for truth in shown],
    )


Recalls = frozenset[tuple[str, str]]
"""Model and label of each recall that a stream shows."""


def measure(status: StreamStatus, metrics: Metrics, before: Recalls = frozenset()) -> Recalls:
    """Set the gauges of a stream, and take out those that have no value any more, of the recalls those of ``before``.

    Returns the recalls that are shown now.
    """
    metrics.pending.labels(status.stream).set(status.pending)
    metrics.coverage.labels(status.stream).set(status.label_coverage)
    for name, model in status.models.items():
        for gauge, value in (
            (metrics.accuracy, model.accuracy),
            (metrics.accuracy_window, model.window_accuracy),
            (metrics.kappa, model.kappa),
            (metrics.log_loss, model.log_loss),
        ):
            if value is None:
                gauge.remove(status.stream, name)
            else:
                gauge.labels(status.stream, name).set(value)
    recalls = _recalls(status)
    for (name, label), recall in recalls.items():
        metrics.class_recall.labels(status.stream, name, label).set(recall)
    for name, label in before - recalls.keys():
        metrics.class_recall.remove(status.stream, name, label)
    return frozenset(recalls)


def _recalls(status: StreamStatus) -> dict[tuple[str, str], float]:
    """Of no more than MOST_LABELS classes, the most frequent: each is a series in Prometheus."""
    return {
        (name, label): each.recall
        for name, model in status.models.items()
        for label, each in sorted(model.classes.items(), key=lambda item: -item[1].support)[:MAX_LABELS]
        if each.recall is not None
    }


def hide(partition: int, metrics: Metrics) -> None:
    """Take out the gauges of a partition that is somebody else's: whoever owns it now reports them."""
    for gauge in (metrics.position, metrics.snapshot_age, metrics.early):
        gauge.remove(str(partition))


def end(stream: str, metrics: Metrics) -> None:
    """Take out everything that is counted of a stream that was deleted, in this process."""
    counted = (metrics.predictions, metrics.labels, metrics.label_delay, metrics.drift, metrics.images)
    for each in (*_gauges(metrics), *counted):
        each.remove_by_labels({"stream": stream})


def forget(streams: Sequence[str], metrics: Metrics) -> None:
    """Take out the gauges of streams whose state is no longer here.

    In one pass: with a search for each of a thousand streams, their learner took ten seconds longer to end.
    """
    gone = frozenset(streams)
    for gauge in _gauges(metrics):
        for sample in [sample for family in gauge.collect() for sample in family.samples]:
            if sample.labels["stream"] in gone:
                gauge.remove(*sample.labels.values())


def _gauges(metrics: Metrics) -> tuple[Gauge, ...]:
    return (
        metrics.pending,
        metrics.coverage,
        metrics.accuracy,
        metrics.accuracy_window,
        metrics.kappa,
        metrics.log_loss,
        metrics.class_recall,
    )
