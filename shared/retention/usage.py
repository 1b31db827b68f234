"""What the log takes on disk and how long it is kept: sizes by topic, what is kept for longer and why, free room."""

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
"""Below a twentieth of the disk, but between these two, there is a warning: time to act, before appends fail."""


@runtime_checkable
class SizedLog(Protocol):
    """A log that knows what its topics take."""

    def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """Bytes of each topic, one copy; those that cannot be told are missing. Blocks; raises LogUnavailable."""
        ...


@runtime_checkable
class DiskLog(Protocol):
    """A log on a disk of this machine."""

    def disk(self) -> DiskSpace:
        """Raises LogUnavailable."""
        ...


class TopicUsage(NamedTuple):
    """One topic. ``bytes``, ``age_seconds`` (of its oldest record) None: not told, or nothing is there. ``limit_bytes``
    None: ``retention`` is no size. ``kept_because``: why
    more is kept than ``retention`` says; "" where it is not.
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
    """All topics, and the disk under them where that is ours: free and total bytes; measured at ``at``."""

    topics: list[TopicUsage]
    free: int | None = None
    total: int | None = None
    at: float = 0.0

    @property
    def warning(self) -> str:
        """What to do before the disk is full; "" while there is room."""
        if self.free is None or self.total is None or self.free >= low_space_bytes(self.total):
            return ""
        return (
            f"the log's disk has {format_bytes(self.free)} left of {format_bytes(self.total)}: make room, or lower "
            "PREQUEL_RETENTION_IMAGES and its like; once it is full, images and labels are refused (503), and work "
            "goes on by itself when there is room"
        )


def low_space_bytes(total: int) -> int:
    """Free bytes of a disk of so many below which there is a warning."""
    return int(min(max(FREE_PART * total, MIN_FREE_BYTES), MAX_FREE_BYTES))


def measure_log(log: Log, store: Store, settings: Settings, now: float) -> LogUsage:
    """Blocks. Raises LogUnavailable and StoreUnavailable."""
    sizes = log.sizes(TOPICS) if isinstance(log, SizedLog) else {}
    retentions = _retentions(log, settings)
    found = [
        TopicUsage(
            topic,
            sizes.get(topic),
            sum(held.end - held.begin for held in log.bounds(topic).values()),
            str(retentions[topic]),
            _held(log, store, settings, topic, now) if isinstance(log, PrunableLog) else "",
            _age(log, topic, now) if isinstance(log, PrunableLog) else None,
            retentions[topic].bytes,
        )
        for topic in TOPICS
    ]
    free, total = log.disk() if isinstance(log, DiskLog) else (None, None)
    return LogUsage(found, free, total, now)


def log_needs(log: PrunableLog, store: Store, settings: Settings) -> Needs:
    """Who needs what, with the names that the services go by."""
    return Needs(log, store, group=settings.group, view_predictions=settings.view_predictions)


def _retentions(log: Log, settings: Settings) -> dict[str, Retention]:
    """What is in force: on Kafka what the topics say, whatever we would have set."""
    ours = {topic: settings.retention_of(topic) for topic in TOPICS}
    if not isinstance(log, topics.Cluster):
        return ours
    return ours | {
        name: kafka_retention(state.settings, state.partitions) for name, state in log.describe(TOPICS).items()
    }


def _age(log: PrunableLog, topic: str, now: float) -> float | None:
    """Of Kafka's records it is not asked: that would be a read of each partition's first for every look."""
    return max((max(0.0, now - at) for _, at in log.pruning(topic).oldest().values()), default=None)


def _held(log: PrunableLog, store: Store, settings: Settings, topic: str, now: float) -> str:
    retention, pruning = settings.retention_of(topic), log.pruning(topic)
    usage, oldest = pruning.usage(), pruning.oldest()
    asked = {p: at for p, (_, at) in oldest.items() if exceeds_retention(retention, usage, at, now)}
    if retention.forever or not asked:
        return ""
    needed = log_needs(log, store, settings).of(topic)
    holding = [needed[p].reason for p in asked if p in needed and oldest[p][0] >= needed[p].offset]
    return f"more is kept: {holding[0]}" if holding and holding[0] else ""
