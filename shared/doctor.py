"""What `prequel doctor` looks at: log, topics, store, clock, disk, GPU, versions, keys, and what to do about each."""

import platform
import shutil
from collections.abc import Callable, Generator, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from prequel.shared import topics
from prequel.shared.config import Settings, without_secrets
from prequel.shared.log.base import TOPICS, Log, LogUnavailable
from prequel.shared.log.kafka.retention_check import check_retention
from prequel.shared.retention.usage import measure_log
from prequel.shared.store.base import Store, StoreUnavailable

MIN_FREE_BYTES = 2**30
MAX_CLOCK_SKEW_SECONDS = 5.0
PACKAGES = ("numpy", "river", "numba", "keras", "tensorflow", "openvino", "kafka-python", "redis", "pydantic")
GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


class Finding(NamedTuple):
    """One thing that was looked at. ``remedy`` is empty where all is well."""

    subject: str
    found: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return not self.remedy


def examine(settings: Settings, log: Log, store: Store, now: float) -> Iterator[Finding]:
    """Look at everything, one after the other; nothing is changed but one key of the store, written and deleted."""
    yield Finding("Python", f"{platform.python_version()} on {platform.platform()}")
    yield Finding("packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    told = set[str]()
    log_answers = yield from _asked("log", lambda: _log(settings, log), told)
    # What is wrong with its topics they say best themselves; the rest would wait for the same log, to say the same.
    yield from _asked("topics", lambda: _topics(settings, log), told)
    if log_answers:
        yield from _asked("clock", lambda: _clock(log, now), told)
    store_answers = yield from _asked("store", lambda: _store(settings, store), told)
    if log_answers and store_answers:
        yield from _asked("retention", lambda: _retention(settings, log, store, now), told)
    yield _disk(settings)
    yield _gpu()
    yield _weights(settings)
    yield _keys(settings)


def _asked(subject: str, question: Callable[[], Iterator[Finding]], told: set[str]) -> Generator[Finding, None, bool]:
    """Whether there was an answer. One and the same failure is told once."""
    try:
        yield from list(question())
    except (LogUnavailable, StoreUnavailable) as error:
        if str(error) not in told:
            yield Finding(subject, "cannot be used", str(error))
        told.add(str(error))
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
        wrong = topics.check(log, settings)
        yield from (Finding("topics", f"{each.topic}: {each.setting} is {each.actual}", str(each)) for each in wrong)
        if not wrong:
            yield Finding("topics", f"{settings.kafka_partitions} partitions, replication {settings.kafka_replication}")


def _retention(settings: Settings, log: Log, store: Store, now: float) -> Iterator[Finding]:
    """That more is kept than a setting says is no fault: it is needed. Less than a window needs is one."""
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
    ahead = max((_newest(log, topic) - now for topic in TOPICS), default=0.0)
    remedy = "set this machine's clock by NTP: times in events are wrong" if ahead > MAX_CLOCK_SKEW_SECONDS else ""
    yield Finding("clock", f"{ahead:.1f} s behind the log" if remedy else "agrees with the log", remedy)


def _newest(log: Log, topic: str) -> float:
    """When the newest record was appended, by the log's own clock."""
    found = [
        record.appended_at
        for partition, bounds in log.bounds(topic).items()
        if bounds.end > bounds.begin
        for record in log.read(topic, partition, [bounds.end - 1]).values()
    ]
    return max(found, default=float("-inf"))


def _store(settings: Settings, store: Store) -> Iterator[Finding]:
    store.put("doctor", b"?")
    well = store.get("doctor") == b"?"
    store.delete(["doctor"])
    remedy = "" if well else "another program writes to this store: give Prequel a database of its own"
    yield Finding("store", f"{without_secrets(settings.store_url)}: {len(store.keys('status/')):,} streams", remedy)


def _disk(settings: Settings) -> Finding:
    folder = next(parent for parent in (settings.data, *settings.data.absolute().parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    remedy = f"make room on the disk of {folder}" if free < MIN_FREE_BYTES else ""
    return Finding("disk", f"{free / 2**30:.1f} GiB free", remedy)


def _gpu() -> Finding:
    devices = [device for device in GPUS if Path(device).exists()]
    return Finding("GPU", ", ".join(devices) or "none: the backbone runs on the CPU")


def _weights(settings: Settings) -> Finding:
    named = settings.weights != "imagenet"
    missing = named and not Path(settings.weights).is_file()
    remedy = f"PREQUEL_WEIGHTS={settings.weights} is no file: name one that exists" if missing else ""
    return Finding("backbone", f"{settings.backbone}{f', weights of {settings.weights}' if named else ''}", remedy)


def _keys(settings: Settings) -> Finding:
    pickled = any("river:" in name for name in settings.model_names)
    missing = pickled and not settings.snapshot_key.get_secret_value()
    shown = f"{len(settings.keys)} API keys" if settings.keys else "no API key: only this machine may ask"
    remedy = "models of River are stored as pickles: set PREQUEL_SNAPSHOT_KEY to a long random text" if missing else ""
    return Finding("keys", shown, remedy)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
