"""The checks of `prequel doctor`: log, topics, retention, store, clock, disk, GPU, versions, keys."""

import platform
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import orjson

from prequel.shared import status, topics
from prequel.shared.config import Settings, without_secrets
from prequel.shared.images.encryption import encrypted_key_name
from prequel.shared.log.base import IMAGES, TOPICS, Log, LogUnavailable, Record
from prequel.shared.log.kafka.retention_check import check_retention
from prequel.shared.retention.usage import measure_log
from prequel.shared.store.base import Store, StoreUnavailable
from prequel.shared.units import format_bytes

MIN_FREE_BYTES = 2**30
"""Somewhat above the 768 MiB below which images are refused (shared.runtime.disk): early enough to act."""
MAX_CLOCK_SKEW_SECONDS = 5.0
"""Label delays are wrong by the skew. With a smaller limit, the ordinary drift of two machines would be a problem."""
NEWEST_IMAGES = 20
"""Images of each partition whose keys are looked for: a few MB to read, and too many to have been forgotten each by
itself where not one of them has a key."""
LOST_KEYS = (
    "the store has lost the images' keys, and nobody can read these images any more: restore the newest backup of the "
    "store; what was learned of them stays"
)
PACKAGES = ("numpy", "river", "numba", "keras", "tensorflow", "openvino", "kafka-python", "redis", "pydantic")
GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""The device files of NVIDIA, AMD, and either under WSL."""


class Finding(NamedTuple):
    """The result of one check: ``ok``, or a problem with the ``remedy``."""

    subject: str
    found: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return not self.remedy


def examine(settings: Settings, log: Log, store: Store, now: float) -> Iterator[Finding]:
    """Run every check, one after the other. Nothing is changed, but for one key of the store, written and deleted.

    ``now`` is in seconds since the epoch. Blocks; raises nothing for a log or a store that is unavailable.
    """
    yield Finding("Python", f"{platform.python_version()} on {platform.platform()}")
    yield Finding("packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    reported = set[str]()
    log_works = yield from _checked("log", lambda: _log(settings, log), reported)
    # The topics are checked even if the log does not work: what is wrong with them is often the reason. The other
    # checks of the log would only wait for it, and fail with the same message.
    yield from _checked("topics", lambda: _topics(settings, log), reported)
    if log_works:
        yield from _checked("clock", lambda: _clock(log, now), reported)
    store_works = yield from _checked("store", lambda: _store(settings, store), reported)
    if store_works:
        yield from _checked("backbones of streams", lambda: _stream_backbones(settings, store), reported)
    if log_works and store_works:
        yield from _checked("retention", lambda: _retention(settings, log, store, now), reported)
        yield from _checked("images", lambda: _image_keys(log, store), reported)
    yield _disk(settings)
    yield _gpu()
    yield _weights(settings)
    yield _keys(settings)


def _checked(
    subject: str, check: Callable[[], Iterator[Finding]], reported: set[str]
) -> Generator[Finding, None, bool]:
    """Whether the server answered. A failure with a message that is in ``reported`` is not reported again."""
    try:
        yield from list(check())
    except (LogUnavailable, StoreUnavailable) as error:
        if str(error) not in reported:
            yield Finding(subject, "cannot be used", str(error))
        reported.add(str(error))
        return False
    return True


def _log(settings: Settings, log: Log) -> Iterator[Finding]:
    counts = {
        topics.topic_name(settings, topic): sum(bounds.end - bounds.begin for bounds in log.bounds(topic).values())
        for topic in TOPICS
    }
    yield Finding("log", f"{settings.log_url}: " + ", ".join(f"{n:,} {topic}" for topic, n in counts.items()))
    for service, topic in (("extractor", "images"), ("learner", "examples")):
        behind = sum(log.lag(f"{settings.group}-{service}", topic).values())
        yield Finding(f"{service} lag", f"{behind:,} records")


def _topics(settings: Settings, log: Log) -> Iterator[Finding]:
    if isinstance(log, topics.Cluster):
        problems = topics.check(log, settings)
        yield from (Finding("topics", f"{each.topic}: {each.setting} is {each.actual}", str(each)) for each in problems)
        if not problems:
            yield Finding("topics", f"{settings.kafka_partitions} partitions, replication {settings.kafka_replication}")


def _retention(settings: Settings, log: Log, store: Store, now: float) -> Iterator[Finding]:
    """It is not a problem if more is kept than set, since it is still needed; it is one if less is kept than needed."""
    usage = measure_log(log, store, settings, now)
    for each in usage.topics:
        yield Finding(f"topic {topics.topic_name(settings, each.topic)}", str(each))
    if usage.warning:
        yield Finding("log's disk", "is nearly full", usage.warning)
    if isinstance(log, topics.Cluster):
        report = check_retention(log, log, store, settings=settings, now=now)
        yield from (Finding("retention", remark) for remark in report.remarks)
        yield from (Finding("retention", wrong.reason, str(wrong)) for wrong in report.too_short)


def _clock(log: Log, now: float) -> Iterator[Finding]:
    behind = max((_newest(log, topic) - now for topic in TOPICS), default=0.0)
    if behind <= MAX_CLOCK_SKEW_SECONDS:
        yield Finding("clock", "agrees with the log")
    else:
        remedy = "set this machine's clock by NTP: the times in its events are wrong"
        yield Finding("clock", f"{behind:.1f} s behind the log", remedy)


def _newest(log: Log, topic: str) -> float:
    """When the newest record was appended, by the log's own clock; in seconds since the epoch."""
    times = [
        record.appended_at
        for partition, bounds in log.bounds(topic).items()
        if bounds.end > bounds.begin
        for record in log.read(topic, partition, [bounds.end - 1]).values()
    ]
    return max(times, default=float("-inf"))


def _store(settings: Settings, store: Store) -> Iterator[Finding]:
    store.put("doctor", b"?")
    same = store.get("doctor") == b"?"
    store.delete(["doctor"])
    remedy = "" if same else "another program writes to this store: give Prequel a database of its own"
    yield Finding("store", f"{without_secrets(settings.store_url)}: streams: {len(store.keys('status/')):,}", remedy)


def _image_keys(log: Log, store: Store) -> Iterator[Finding]:
    """Whether the newest encrypted images can be read. One without a key was forgotten; of all, the keys are lost."""
    names = [name for record in _newest_images(log) if (name := encrypted_key_name(record))]
    if names:
        found = len(store.get_all(names))
        remedy = "" if found else LOST_KEYS
        yield Finding("images", f"keys of {found} of the newest {len(names)} encrypted ones", remedy)


def _newest_images(log: Log) -> Iterator[Record]:
    for partition, (begin, end) in log.bounds(IMAGES).items():
        yield from log.read(IMAGES, partition, range(max(begin, end - NEWEST_IMAGES), end)).values()


def _stream_backbones(settings: Settings, store: Store) -> Iterator[Finding]:
    """More of them than may be loaded are no fault of anything, but slow where their images come at one time."""
    statuses = store.get_all(store.keys(status.PREFIX)).values()
    names = [orjson.loads(published).get("backbone") or settings.backbone for published in statuses]
    counts = Counter(names).most_common()
    found = ", ".join(f"{name}: {streams:,}" for name, streams in counts)
    surplus = len(counts) > settings.backbones_loaded
    remedy = (
        f"raise PREQUEL_BACKBONES_LOADED={settings.backbones_loaded}, or give streams the same backbone: with "
        f"{len(counts)}, each is loaded again when its turn comes"
    )
    yield Finding("backbones of streams", found or "no streams yet", remedy if surplus else "")


def _disk(settings: Settings) -> Finding:
    folder = next(parent for parent in (settings.data, *settings.data.absolute().parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    remedy = f"make room on the disk of {folder}" if free < MIN_FREE_BYTES else ""
    return Finding("disk", f"{format_bytes(free)} free", remedy)


def _gpu() -> Finding:
    devices = [device for device in GPUS if Path(device).exists()]
    return Finding("GPU", ", ".join(devices) or "none: the backbone runs on the CPU")


def _weights(settings: Settings) -> Finding:
    of_file = settings.weights != "imagenet"
    missing = of_file and not Path(settings.weights).exists()
    remedy = f"PREQUEL_WEIGHTS={settings.weights}: there is no such file or folder; name one" if missing else ""
    pooling = f", pooling {settings.pooling}" if settings.pooling != "avg" else ""
    weights = f", weights of {settings.weights}" if of_file else ""
    return Finding("backbone", f"{settings.backbone}{pooling}{weights}", remedy)


def _keys(settings: Settings) -> Finding:
    pickles = any("river:" in name for name in settings.model_names)
    missing = pickles and not settings.snapshot_key.get_secret_value()
    keys = f"API keys: {len(settings.keys)}" if settings.keys else "no API key: only this machine has access"
    remedy = "models of River are stored as pickles: set PREQUEL_SNAPSHOT_KEY to a long random text" if missing else ""
    return Finding("keys", keys, remedy)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
