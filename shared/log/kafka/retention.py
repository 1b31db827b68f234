"""Retention of Kafka's topics: the brokers remove old records; what we set, what was found, what is too short."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from prequel.shared.log.base import EXAMPLES, Bounds
from prequel.shared.retention.floors import Floor
from prequel.shared.retention.policy import Retention

_FOREVER = "-1"


class TooShort(NamedTuple):
    """A partition of ``examples`` that is kept for less long than the window of a stream reaches back.

    ``named``: what the topic is called on this cluster.
    """

    partition: int
    reason: str
    named: str = EXAMPLES

    def __str__(self) -> str:
        return (
            f"topic {self.named}: {self.reason}. Labels for what is gone expire: keep the topic for longer, or lower "
            "PREQUEL_WINDOW"
        )


def kafka_settings(retention: Retention, partitions: int) -> dict[str, str]:
    """Kafka's settings of a topic. Bytes are of the whole topic, one copy: Kafka counts them for each partition."""
    milliseconds = _FOREVER if retention.seconds is None else str(int(retention.seconds * 1_000))
    share = _FOREVER if retention.bytes is None else str(max(1, retention.bytes // partitions))
    return {"retention.ms": milliseconds, "retention.bytes": share}


def found_retention(settings: Mapping[str, str], partitions: int) -> Retention:
    """What Kafka's settings of a topic mean; one of them that it does not tell is taken for none."""
    milliseconds = int(settings.get("retention.ms", _FOREVER))
    share = int(settings.get("retention.bytes", _FOREVER))
    return Retention(
        None if milliseconds < 0 else milliseconds / 1_000,
        None if share < 0 else share * partitions,
    )


def difference(topic: str, found: Retention, wanted: Retention, named: str) -> str | None:
    """What is to be said where an operator chose another retention than ours: nothing is wrong with that.

    ``named``: what the topic is called on this cluster.
    """
    if found == wanted:
        return None
    name = f"PREQUEL_RETENTION_{topic.upper().replace('-', '_')}"
    return (
        f"topic {named} is kept {_kept(found)}, as it was set on Kafka; {name} ({_kept(wanted)}) is for topics that "
        "`prequel topics` creates"
    )


def too_short(
    found: Retention, bounds: Mapping[int, Bounds], floors: Mapping[int, Floor], now: float, named: str = EXAMPLES
) -> list[TooShort]:
    """Where the window reaches further back than ``examples`` is kept, by what learners published."""
    wrong = []
    for partition, floor in sorted(floors.items()):
        if reason := _reason(found, bounds[partition], floor, partition, now):
            wrong.append(TooShort(partition, reason, named))
    return wrong


def _reason(found: Retention, bounds: Bounds, floor: Floor, partition: int, now: float) -> str | None:
    at = f"{EXAMPLES}:{partition}:{floor.offset}"
    whose = f"the window of stream {floor.stream}" if floor.stream else "the oldest snapshot"
    if bounds.begin > floor.offset:
        return f"{whose} reaches back to {at}, and the topic begins at {bounds.begin}"
    if floor.stream and found.seconds is not None and now - floor.time > found.seconds:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(floor.time))
        return f"{whose} reaches back to {at} of {when}, and the topic is kept {_kept(found)}"
    return None


def _kept(retention: Retention) -> str:
    if retention.forever:
        return "forever"
    limits = [Retention(seconds=retention.seconds), Retention(bytes=retention.bytes)]
    return " and ".join(f"{'for' if each.bytes is None else 'up to'} {each}" for each in limits if not each.forever)
