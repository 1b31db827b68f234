"""What the log takes on disk: size and age of each topic, what is kept for longer than set and why, free space."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from prequel.shared import topics
from prequel.shared.config import Settings
from prequel.shared.log.base import TOPICS, Log
from prequel.shared.log.kafka.retention import kafka_retention
from prequel.shared.retention.needs import Needs
from prequel.shared.retention.policy import Retention
from prequel.shared.retention.pruning import PrunableLog, exceeds_retention
from prequel.shared.runtime.disk import DiskSpace
from prequel.shared.store.base import Store
from prequel.shared.units import format_bytes, format_seconds

MIN_FREE_BYTES = 2 * 2**30
MAX_FREE_BYTES = 10 * 2**30
FREE_PART = 0.05
"""There is a warning when less than a twentieth of the disk, but between these two, is free: early enough to act before
appends fail, and not all the time on a small disk."""


@runtime_checkable
class SizedLog(Protocol):
    """A log that knows the sizes of its topics."""

    def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """Bytes of each topic, one copy; topics of unknown size are missing. Blocks; raises LogUnavailable."""
        ...


@runtime_checkable
class DiskLog(Protocol):
    """A log on a disk of this machine."""

    def disk(self) -> DiskSpace:
        """Raises LogUnavailable."""
        ...


class TopicUsage(NamedTuple):
    """One topic. ``bytes`` and ``age_seconds`` (of its oldest record) are None if unknown, or if there is no record.

    ``limit_bytes`` is None unless ``retention`` is a size. ``kept_because`` says why more is kept than ``retention``
    allows; "" if that is not so.
    """

    topic: str
    bytes: int | None
    records: int
    retention: str
    kept_because: str
    age_seconds: float | None = None
    limit_bytes: int | None = None

    def __str__(self) -> str:
        size = "size unknown" if self.bytes is None else format_bytes(self.bytes)
        age = "" if self.age_seconds is None else f", the oldest {format_seconds(self.age_seconds)} old"
        return f"{self.records:,} records, {size}{age}, kept {self.retention}" + (
            f": {self.kept_because}" if self.kept_because else ""
        )


class LogUsage(NamedTuple):
    """All topics, and free and total bytes of the embedded log's disk; measured at ``at`` (seconds since the epoch)."""

    topics: list[TopicUsage]
    free: int | None = None
    total: int | None = None
    at: float = 0.0

    @property
    def warning(self) -> str:
        """What to do before the disk is full; "" while enough is free."""
        if self.free is None or self.total is None or self.free >= low_space_bytes(self.total):
            return ""
        return (
            f"the log's disk has {format_bytes(self.free)} left of {format_bytes(self.total)}: make room, or lower "
            "PREQUEL_RETENTION_IMAGES and the like. Once it is full, images and labels are refused (503); work goes on "
            "automatically when there is room again"
        )


def low_space_bytes(total: int) -> int:
    """The free bytes below which there is a warning, on a disk of ``total`` bytes."""
    return int(min(max(FREE_PART * total, MIN_FREE_BYTES), MAX_FREE_BYTES))


def measure_log(log: Log, store: Store, settings: Settings, now: float) -> LogUsage:
    """Blocks. Raises LogUnavailable and StoreUnavailable."""
    sizes = log.sizes(TOPICS) if isinstance(log, SizedLog) else {}
    retentions = _retentions(log, settings)
    usages = [
        TopicUsage(
            topic,
            sizes.get(topic),
            sum(bounds.end - bounds.begin for bounds in log.bounds(topic).values()),
            str(retentions[topic]),
            _kept_because(log, store, settings, topic, now=now) if isinstance(log, PrunableLog) else "",
            _age(log, topic, now) if isinstance(log, PrunableLog) else None,
            retentions[topic].bytes,
        )
        for topic in TOPICS
    ]
    free, total = log.disk() if isinstance(log, DiskLog) else (None, None)
    return LogUsage(usages, free, total, now)


def log_needs(log: PrunableLog, store: Store, settings: Settings) -> Needs:
    """Who needs which records, by the settings' names of the consumer groups."""
    return Needs(log, store, group=settings.group, view_predictions=settings.view_predictions)


def _retentions(log: Log, settings: Settings) -> dict[str, Retention]:
    """The retention in force: on Kafka that of the topics, which an operator may have changed."""
    configured = {topic: settings.retention_of(topic) for topic in TOPICS}
    if not isinstance(log, topics.Cluster):
        return configured
    return configured | {
        name: kafka_retention(state.settings, state.partitions) for name, state in log.describe(TOPICS).items()
    }


def _age(log: PrunableLog, topic: str, now: float) -> float | None:
    """Only of the embedded log: on Kafka it would take a read of each partition's first record at every measurement."""
    return max((max(0.0, now - at) for _, at in log.pruning(topic).oldest().values()), default=None)


def _kept_because(log: PrunableLog, store: Store, settings: Settings, topic: str, *, now: float) -> str:
    retention, pruning = settings.retention_of(topic), log.pruning(topic)
    usage, oldest = pruning.usage(), pruning.oldest()
    expired = {p: at for p, (_, at) in oldest.items() if exceeds_retention(retention, usage, at, now)}
    if retention.forever or not expired:
        return ""
    needed = log_needs(log, store, settings).of(topic)
    reasons = [needed[p].reason for p in expired if p in needed and oldest[p][0] >= needed[p].offset]
    return f"more is kept: {reasons[0]}" if reasons and reasons[0] else ""
