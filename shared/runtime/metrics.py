"""Every Prometheus metric, one row each: name, meaning, labels; on a registry that the composition root passes."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from prequel.shared.runtime.metric_row import MetricRow

# Upper bounds of histograms. A quantile is as exact as its bucket is narrow, and each bucket is a series per label.
FAST = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)  # seconds of one call
DELAY = (0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000)  # seconds until a person labels: to 30 days
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)  # images: up to the largest PREQUEL_BATCH

MODEL = ("stream", "model")


class Metrics:
    """The metrics of one process. A new one is one row here, and one line where it is measured.

    A row becomes a metric under the same attribute: ``metrics.images.labels(stream).inc()``; ``prequel_`` stands before
    its name. A histogram also takes its ``buckets``.

    Names and labels are a contract: people's dashboards and alerts are written against them.
    """

    # Learner: prequential metrics (each example is scored on the prediction made before it was learned).
    accuracy = MetricRow(Gauge, "prequential_accuracy", "Accuracy since the start of the stream", MODEL)
    accuracy_low = MetricRow(
        Gauge, "prequential_accuracy_low", "Lower end of the accuracy's interval: 95 %, at all times", MODEL
    )
    accuracy_high = MetricRow(Gauge, "prequential_accuracy_high", "Its upper end", MODEL)
    accuracy_window = MetricRow(Gauge, "prequential_accuracy_window", "Accuracy of the last scored examples", MODEL)
    kappa = MetricRow(Gauge, "prequential_kappa", "Cohen's kappa since the start", MODEL)
    log_loss = MetricRow(Gauge, "prequential_log_loss", "Mean log loss since the start, in nats", MODEL)
    calibration_error = MetricRow(
        Gauge, "calibration_error", "Expected calibration error over about the newest 4,000 scored examples", MODEL
    )
    verdict = MetricRow(
        Gauge, "verdict", "1 where a challenger is better than the champion on the newest labels, -1 where worse", MODEL
    )
    class_recall = MetricRow(Gauge, "class_recall", "Recall of a class since the start", (*MODEL, "label"))

    # Learner: examples and labels.
    predictions = MetricRow(Counter, "predictions_total", "Examples predicted", ("stream",))
    labels = MetricRow(Counter, "labels_total", "Labels by what became of them", ("stream", "status"))
    label_delay = MetricRow(
        Histogram, "label_delay_seconds", "Seconds from an example to its first label", ("stream",), buckets=DELAY
    )
    pending = MetricRow(Gauge, "examples_pending", "Examples in the window without a label", ("stream",))
    coverage = MetricRow(Gauge, "label_coverage", "Labelled examples over all examples", ("stream",))
    labels_mixed = MetricRow(
        Gauge, "labels_mixed", "1 where the newest labels come mixed, 0 where class after class", ("stream",)
    )
    drift = MetricRow(Counter, "drift_total", "Drifts detected", MODEL)
    feature_drift = MetricRow(Gauge, "feature_drift", "Deviations of the newest features from the usual", ("stream",))
    feature_drift_threshold = MetricRow(
        Gauge, "feature_drift_threshold", "Where the features count as changed", ("stream",)
    )
    feature_drifts = MetricRow(Counter, "feature_drifts_total", "Drifts of the features", ("stream",))
    set_coverage = MetricRow(Gauge, "set_coverage", "Share of the newest 500 labels that their sets held", ("stream",))
    set_size = MetricRow(Gauge, "set_size", "Mean number of labels in a set, over the newest 500 labels", ("stream",))
    set_level = MetricRow(Gauge, "set_level", "Share of labels that the sets are to hold", ("stream",))
    moved = MetricRow(Counter, "moved_total", "Records moved to the partition of their key", ("topic",))
    early = MetricRow(Gauge, "early_labels", "Labels that wait for streams that do not exist", ("partition",))

    # The log.
    lag = MetricRow(Gauge, "log_lag", "Records not yet processed", ("service", "topic", "partition"))
    position = MetricRow(Gauge, "learner_position", "Next offset of examples to be learned", ("partition",))
    log_bytes = MetricRow(Gauge, "log_bytes", "Bytes of a topic on disk, one copy", ("topic",))
    log_limit = MetricRow(
        Gauge, "log_limit_bytes", "Bytes that a topic may have, where its retention is a size", ("topic",)
    )
    log_age = MetricRow(Gauge, "log_oldest_seconds", "Age of a topic's oldest record (embedded log)", ("topic",))
    retention_held = MetricRow(
        Gauge, "log_retention_held", "1 where more is kept than retention says, because it is still needed", ("topic",)
    )
    pruned = MetricRow(Counter, "log_pruned_total", "Records that this process removed for retention", ("topic",))
    disk_free = MetricRow(Gauge, "disk_free_bytes", "Bytes free on the embedded log's disk")

    # Snapshots.
    snapshot_seconds = MetricRow(Histogram, "snapshot_seconds", "Seconds that a snapshot took", buckets=FAST)
    snapshot_bytes = MetricRow(Gauge, "snapshot_bytes", "Bytes written by the newest snapshot")
    snapshot_age = MetricRow(Gauge, "snapshot_age_seconds", "Seconds since the newest snapshot", ("partition",))

    # Extractor.
    batch_size = MetricRow(Histogram, "extractor_batch_size", "Images in one inference", buckets=SIZES)
    stage_seconds = MetricRow(
        Histogram, "extractor_seconds", "Seconds a batch spent in a stage", ("stage",), buckets=FAST
    )
    images = MetricRow(Counter, "images_total", "Images extracted", ("stream",))

    # Several services.
    rejected = MetricRow(Counter, "rejected_total", "Records that became dead letters", ("service", "reason"))
    duplicates = MetricRow(Counter, "duplicates_total", "Events whose id was seen before", ("service",))
    conflicts = MetricRow(
        Counter, "conflicts_total", "Of these, with another image (content) or another label", ("service", "reason")
    )

    # Gateway.
    http_seconds = MetricRow(
        Histogram,
        "http_request_seconds",
        "Seconds that HTTP requests took",
        ("route", "method", "code"),
        buckets=FAST,
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        for attribute, row in vars(type(self)).items():
            if isinstance(row, MetricRow):
                setattr(self, attribute, row.create(registry))
