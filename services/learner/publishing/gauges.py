"""The Prometheus gauges of streams and partitions: set from statuses, and removed with what they measure."""

from collections.abc import Sequence

from prometheus_client import Gauge

from prequel.shared.runtime.metrics import Metrics
from prequel.shared.status import MAX_LABELS, StreamStatus

RecallSeries = frozenset[tuple[str, str]]
"""Model and label of each recall that a stream shows: each is a series in Prometheus."""


def set_stream_gauges(status: StreamStatus, metrics: Metrics, shown: RecallSeries = frozenset()) -> RecallSeries:
    """Set the gauges of a stream, and remove those that have no value any more; return the recalls that are shown now.

    ``shown`` are the recalls that were shown before.
    """
    _set_own_gauges(status, metrics)
    for name, model in status.models.items():
        for gauge, value in (
            (metrics.accuracy, model.accuracy),
            (metrics.accuracy_low, model.interval and model.interval[0]),
            (metrics.accuracy_high, model.interval and model.interval[1]),
            (metrics.accuracy_window, model.window_accuracy),
            (metrics.verdict, _verdict(status, name)),
            (metrics.kappa, model.kappa),
            (metrics.log_loss, model.log_loss),
            (metrics.calibration_error, model.calibration_error),
        ):
            if value is None:
                gauge.remove(status.stream, name)
            else:
                gauge.labels(status.stream, name).set(value)
    recalls = _recalls(status)
    for (name, label), recall in recalls.items():
        metrics.class_recall.labels(status.stream, name, label).set(recall)
    for name, label in shown - recalls.keys():
        metrics.class_recall.remove(status.stream, name, label)
    return frozenset(recalls)


def _verdict(status: StreamStatus, model: str) -> float | None:
    """None of the champion, and while labels come class after class."""
    if model not in status.verdicts:
        return None
    return {"better": 1.0, "worse": -1.0, "open": 0.0}.get(status.verdicts[model].verdict)


def _set_own_gauges(status: StreamStatus, metrics: Metrics) -> None:
    """Set the gauges that are of the stream, and of no model of it."""
    order, sets = status.label_order, status.sets
    for gauge, value in (
        (metrics.pending, status.pending),
        (metrics.coverage, status.label_coverage),
        (metrics.labels_mixed, order.mixed if order else None),
        (metrics.feature_drift, status.feature_drift),
        (metrics.feature_drift_threshold, status.feature_drift_threshold),
        (metrics.set_level, sets.level if sets else None),
        (metrics.set_coverage, sets.coverage if sets else None),
        (metrics.set_size, sets.mean_size if sets else None),
    ):
        if value is None:
            gauge.remove(status.stream)
        else:
            gauge.labels(status.stream).set(value)


def _recalls(status: StreamStatus) -> dict[tuple[str, str], float]:
    """Recalls of the MAX_LABELS most frequent classes: thousands of series would be too many for Prometheus."""
    return {
        (name, label): status_of_class.recall
        for name, model in status.models.items()
        for label, status_of_class in sorted(model.classes.items(), key=lambda pair: -pair[1].support)[:MAX_LABELS]
        if status_of_class.recall is not None
    }


def remove_partition_gauges(partition: int, metrics: Metrics) -> None:
    """Remove the gauges of a partition that another learner owns: that one reports them now."""
    for gauge in (metrics.position, metrics.snapshot_age, metrics.early):
        gauge.remove(str(partition))


def remove_stream_metrics(stream: str, metrics: Metrics) -> None:
    """Remove everything that this process counted of a stream, once it was deleted."""
    counters = (
        metrics.predictions,
        metrics.labels,
        metrics.label_delay,
        metrics.drift,
        metrics.feature_drifts,
        metrics.images,
    )
    for metric in (*_gauges(metrics), *counters):
        metric.remove_by_labels({"stream": stream})


def remove_stream_gauges(streams: Sequence[str], metrics: Metrics) -> None:
    """Remove the gauges of streams whose state this process has no more.

    In one pass: with a search for each of a thousand streams, their learner took ten seconds longer to end.
    """
    removed = frozenset(streams)
    for gauge in _gauges(metrics):
        for sample in [sample for family in gauge.collect() for sample in family.samples]:
            if sample.labels["stream"] in removed:
                gauge.remove(*sample.labels.values())


def _gauges(metrics: Metrics) -> tuple[Gauge, ...]:
    return (
        metrics.pending,
        metrics.coverage,
        metrics.labels_mixed,
        metrics.feature_drift,
        metrics.feature_drift_threshold,
        metrics.set_level,
        metrics.set_coverage,
        metrics.set_size,
        metrics.accuracy,
        metrics.accuracy_low,
        metrics.accuracy_high,
        metrics.accuracy_window,
        metrics.verdict,
        metrics.kappa,
        metrics.log_loss,
        metrics.calibration_error,
        metrics.class_recall,
    )
