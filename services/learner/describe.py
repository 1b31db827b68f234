"""A stream's state as the status that the gateway serves and the metrics that Prometheus scrapes."""

from collections import Counter
from collections.abc import Sequence

from services.learner.stream import StreamState
from shared.log import Position
from shared.metrics import Metrics
from shared.status import (
    ClassStatus,
    Confusion,
    CurvePoint,
    DriftMark,
    ModelStatus,
    SnapshotStatus,
    StreamStatus,
    UnknownStatus,
)

MOST_LABELS = 50
"""Classes in a confusion matrix and in the metrics by class: the most frequent ones."""


def describe(
    state: StreamState, position: Position, *, now: float, snapshot: SnapshotStatus | None, address: str | None
) -> StreamStatus:
    """What is known of a stream at ``position``; ``now`` is in seconds since the epoch."""
    specs = state.limits.models
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
        models={spec: _model(state, number) for number, spec in enumerate(specs)},
        curve=_curve(state),
        confusion={spec: _confusion(state, number) for number, spec in enumerate(specs)},
        drifts=_marks(state),
        feature_drift=state.feature_drift.score,
        unknown=_unknown(state),
        snapshot=snapshot,
        address=address,
    )


def _model(state: StreamState, model: int) -> ModelStatus:
    scores = state.scores
    forgetting = scores.forgetting(model)
    return ModelStatus(
        scored=scores.held,
        accuracy=scores.accuracy(model),
        window_accuracy=scores.window_accuracy(model),
        kappa=scores.kappa(model),
        log_loss=scores.log_loss(model),
        fading_accuracy=scores.fading_accuracy(model),
        drifts=state.drifted[model],
        classes={
            state.labels[label]: ClassStatus(
                precision=precision, recall=recall, f1=f1, support=support, forgetting=forgetting.get(label)
            )
            for label, (precision, recall, f1, support) in scores.per_class(model).items()
        },
    )


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
        CurvePoint(
            scored=scored,
            accuracy=dict(zip(specs, accuracy, strict=True)),
            window_accuracy=dict(zip(specs, recent, strict=True)),
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
    matrix = state.scores.tallies[model].confusion
    support = Counter[int]()
    for (truth, _), count in matrix.items():
        support[truth] += count
    shown = sorted(label for label, _ in sorted(support.items(), key=lambda item: (-item[1], item[0]))[:MOST_LABELS])
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
    found = {}
    for name, model in status.models.items():
        for label in status.confusion[name].labels:
            recall = model.classes[label].recall if label in model.classes else None
            if recall is not None:
                found[name, label] = recall
    return found


def hide(partition: int, metrics: Metrics) -> None:
    """Take out the gauges of a partition that is somebody else's: whoever owns it now reports them."""
    for gauge in (metrics.position, metrics.snapshot_age, metrics.early):
        gauge.remove(str(partition))


def end(stream: str, metrics: Metrics) -> None:
    """Take out everything that is counted of a stream that was deleted, in this process."""
    forget([stream], metrics)
    for counter in (metrics.predictions, metrics.labels, metrics.label_delay, metrics.drift, metrics.images):
        counter.remove_by_labels({"stream": stream})


def forget(streams: Sequence[str], metrics: Metrics) -> None:
    """Take out the gauges of streams whose state is no longer here."""
    for gauge in (
        metrics.pending,
        metrics.coverage,
        metrics.accuracy,
        metrics.accuracy_window,
        metrics.kappa,
        metrics.log_loss,
        metrics.class_recall,
    ):
        for stream in streams:
            gauge.remove_by_labels({"stream": stream})
