"""Every Prometheus metric, once: name, labels, meaning; on a registry that the composition root passes."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FAST = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_DELAY = (0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The metrics of one process. Names and labels are a contract: dashboards and alerts are written against them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        model = ("stream", "model")

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"prequel_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"prequel_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"prequel_{name}", text, labels, buckets=buckets, registry=registry)

        self.accuracy = gauge("prequential_accuracy", "Accuracy since the start of the stream", model)
        self.accuracy_window = gauge("prequential_accuracy_window", "Accuracy of the last scored examples", model)
        self.kappa = gauge("prequential_kappa", "Cohen's kappa since the start", model)
        self.log_loss = gauge("prequential_log_loss", "Mean log loss since the start, in nats", model)
        self.class_recall = gauge("class_recall", "Recall of a class since the start", (*model, "label"))
        self.predictions = counter("predictions_total", "Examples predicted", ("stream",))
        self.labels = counter("labels_total", "Labels by what became of them", ("stream", "status"))
        self.label_delay = histogram(
            "label_delay_seconds", "Seconds from an example to its first label", ("stream",), _DELAY
        )
        self.pending = gauge("examples_pending", "Examples in the window without a label", ("stream",))
        self.coverage = gauge("label_coverage", "Labelled examples over all examples", ("stream",))
        self.drift = counter("drift_total", "Drifts detected", model)
        self.moved = counter("moved_total", "Records moved to the partition of their key", ("topic",))
        self.early = gauge("early_labels", "Labels that wait for streams that do not exist", ("partition",))
        self.lag = gauge("log_lag", "Records not yet processed", ("service", "topic", "partition"))
        self.position = gauge("learner_position", "Next offset of examples to be learned", ("partition",))
        self.log_bytes = gauge("log_bytes", "Bytes of a topic on disk, one copy", ("topic",))
        self.log_limit = gauge(
            "log_limit_bytes", "Bytes that a topic may have, where its retention is a size", ("topic",)
        )
        self.log_age = gauge("log_oldest_seconds", "Age of a topic's oldest record (embedded log)", ("topic",))
        self.held = gauge("log_retention_held", "1 where more is kept than retention says: it is needed", ("topic",))
        self.pruned = counter("log_pruned_total", "Records that this process removed for retention", ("topic",))
        self.disk_free = gauge("disk_free_bytes", "Bytes free on the embedded log's disk")
        self.snapshot_seconds = histogram("snapshot_seconds", "Seconds that a snapshot took", (), _FAST)
        self.snapshot_bytes = gauge("snapshot_bytes", "Bytes written by the newest snapshot")
        self.snapshot_age = gauge("snapshot_age_seconds", "Seconds since the newest snapshot", ("partition",))
        self.batch_size = histogram("extractor_batch_size", "Images in one inference", (), _SIZES)
        self.stage_seconds = histogram("extractor_seconds", "Seconds a batch spent in a stage", ("stage",), _FAST)
        self.images = counter("images_total", "Images extracted", ("stream",))
        self.rejected = counter("rejected_total", "Records that became dead letters", ("service", "reason"))
        self.duplicates = counter("duplicates_total", "Events whose id was seen before", ("service",))
        self.conflicts = counter(
            "conflicts_total", "Of these, with another image (content) or another label", ("service", "reason")
        )
        self.http_seconds = histogram(
            "http_request_seconds", "Seconds that HTTP requests took", ("route", "method", "code"), _FAST
        )
