"""Retention of Kafka's topics in Kafka's settings, and what is wrong with what is set on the cluster."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from prequel.shared.log.base import EXAMPLES, Bounds
from prequel.shared.retention.floors import Floor
from prequel.shared.retention.policy import Retention

_FOREVER = "-1"


class TooShort(NamedTuple):
    """A partition of ``examples`` that keeps records for less long than the window of a stream reaches back.

    ``topic``: what it is called on this cluster.
    """

    partition: int
    reason: str
    topic: str = EXAMPLES

    def __str__(self) -> str:
        return (
            f"topic {self.topic}: {self.reason}. Labels for images that are gone expire: keep the topic for longer, or "
            "lower PREQUEL_WINDOW"
        )


def kafka_settings(retention: Retention, partitions: int) -> dict[str, str]:
    """Kafka's settings of a topic. Bytes are of the whole topic, one copy; Kafka counts them for each partition."""
    milliseconds = _FOREVER if retention.seconds is None else str(int(retention.seconds * 1_000))
    share = _FOREVER if retention.bytes is None else str(max(1, retention.bytes // partitions))
    return {"retention.ms": milliseconds, "retention.bytes": share}


def kafka_retention(settings: Mapping[str, str], partitions: int) -> Retention:
    """The inverse of ``kafka_settings``; a setting that the cluster does not tell counts as no limit."""
    milliseconds = int(settings.get("retention.ms", _FOREVER))
    share = int(settings.get("retention.bytes", _FOREVER))
    return Retention(
        None if milliseconds < 0 else milliseconds / 1_000,
        None if share < 0 else share * partitions,
    )


def describe_difference(topic: str, actual: Retention, configured: Retention, name_on_cluster: str) -> str | None:
    """A remark where an operator chose another retention than ours; nothing is wrong with that. None where equal.

    ``name_on_cluster``: the topic's name there, with PREQUEL_KAFKA_TOPIC_PREFIX.
    """
    if actual == configured:
        return None
    setting = f"PREQUEL_RETENTION_{topic.upper().replace('-', '_')}"
    return (
        f"topic {name_on_cluster} keeps records {_format(actual)}, as it was set on Kafka; "
        f"{setting} ({_format(configured)}) is for topics that `prequel topics` creates"
    )


def find_too_short(
    actual: Retention,
    bounds: Mapping[int, Bounds],
    floors: Mapping[int, Floor],
    *,
    now: float,
    name_on_cluster: str = EXAMPLES,
) -> list[TooShort]:
    """Partitions of ``examples`` whose window reaches back further than the topic does.

    ``floors``: partition -> the oldest record that its learner still needs, as it published it; ``now``: seconds since
    the epoch; ``name_on_cluster``: the topic's name there.
    """
    too_short = []
    for partition, floor in sorted(floors.items()):
        if reason := _reason(actual, bounds[partition], floor, partition=partition, now=now):
            too_short.append(TooShort(partition, reason, name_on_cluster))
    return too_short


def _reason(actual: Retention, bounds: Bounds, floor: Floor, *, partition: int, now: float) -> str | None:
    place = f"{EXAMPLES}:{partition}:{floor.offset}"
    whose = f"the window of stream {floor.stream}" if floor.stream else "the oldest snapshot"
    if bounds.begin > floor.offset:
        return f"{whose} reaches back to {place}, but the topic begins at {bounds.begin}"
    if floor.stream and actual.seconds is not None and now - floor.time > actual.seconds:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(floor.time))
        return f"{whose} reaches back to {place} of {when}, but the topic keeps records {_format(actual)}"
    return None


def _format(retention: Retention) -> str:
    if retention.forever:
        return "forever"
    limits = [Retention(seconds=retention.seconds), Retention(bytes=retention.bytes)]
    return " and ".join(f"{'for' if each.bytes is None else 'up to'} {each}" for each in limits if not each.forever)
