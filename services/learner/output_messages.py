"""The results of a fold as messages for the log and as counts for Prometheus."""

from collections.abc import Mapping

from prequel.services.learner.context import SOURCE
from prequel.services.learner.fold.batch import FoldResult
from prequel.services.learner.fold.outputs import OutputEvent
from prequel.services.learner.fold.relocation import relocate
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.publishing.gauges import remove_stream_metrics
from prequel.shared.events.commands import encode_applied
from prequel.shared.events.drifts import encode_drift
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import FEATURES_DETECTOR, Applied, Outcome, Prediction
from prequel.shared.log.base import Message
from prequel.shared.runtime.metrics import Metrics

NO_STREAM = "(none)"
"""Stands for every missing stream in the count of labels: anybody can invent names, and each would be a series."""


def output_messages(result: FoldResult) -> list[Message]:
    """The records of other partitions on their way there, then the outputs in order."""
    return [*map(relocate, result.misplaced), *(_encode(event) for _, event in result.outputs)]


def _encode(event: OutputEvent) -> Message:
    if isinstance(event, Prediction):
        return encode_prediction(event, source=SOURCE)
    if isinstance(event, Outcome):
        return encode_outcome(event, source=SOURCE)
    if isinstance(event, Applied):
        return encode_applied(event, source=SOURCE)
    return encode_drift(event, source=SOURCE)


def count_outputs(result: FoldResult, streams: Mapping[str, StreamState], metrics: Metrics, *, topic: str) -> None:
    """Count a result; ``streams`` are those that exist after it."""
    deleted = {deletion.position for deletion in result.deletions}
    metrics.duplicates.labels("learner").inc(result.duplicates)
    for difference, count in result.conflicts.items():
        metrics.conflicts.labels("learner", difference).inc(count)
    metrics.moved.labels(topic).inc(len(result.misplaced))
    # A label that waited has an outcome of its own where its image came: it must not be counted twice.
    waited = {
        (event.stream, event.id) for at, event in result.outputs if isinstance(event, Outcome) and event.position != at
    }
    for _, event in result.outputs:
        if isinstance(event, Prediction):
            metrics.predictions.labels(event.stream).inc()
            if event.truth is not None and (event.stream, event.id) not in waited:
                metrics.labels.labels(event.stream, "learned").inc()
        elif isinstance(event, Outcome):
            stream = event.stream if event.stream in streams else NO_STREAM
            metrics.labels.labels(stream, event.status).inc()
        elif isinstance(event, Applied):
            if event.position in deleted:  # In order: what comes after is counted of a new stream of this name.
                remove_stream_metrics(event.stream, metrics)
        elif event.detector == FEATURES_DETECTOR:
            metrics.feature_drifts.labels(event.stream).inc()
        else:
            metrics.drift.labels(event.stream, event.model).inc()
