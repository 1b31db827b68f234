"""What is said of how long Kafka's topics are kept: what somebody chose is accepted, unless a window needs more."""

from typing import NamedTuple

from prequel.shared import topics
from prequel.shared.config import Settings
from prequel.shared.log.base import EXAMPLES, TOPICS, Log
from prequel.shared.log.kafka.retention import TooShort, difference, found_retention, too_short
from prequel.shared.retention import floors
from prequel.shared.store.base import Store


class Judged(NamedTuple):
    """Remarks, with which nothing is wrong, and what is."""

    remarks: list[str]
    wrong: list[TooShort]


def judge(cluster: topics.Cluster, log: Log, store: Store, settings: Settings, now: float) -> Judged:
    """Of the topics that exist. Blocks; raises LogUnavailable and StoreUnavailable."""
    found = {
        topic: found_retention(state.settings, state.partitions) for topic, state in cluster.describe(TOPICS).items()
    }
    differences = [
        difference(topic, found[topic], settings.retention_of(topic), topics.topic_name(settings, topic))
        for topic in TOPICS
        if topic in found
    ]
    remarks = [each for each in differences if each]
    if EXAMPLES not in found:
        return Judged(remarks, [])
    bounds = log.bounds(EXAMPLES)
    reached = {partition: floors.read(store, partition) for partition in bounds}
    known = {partition: floor for partition, floor in reached.items() if floor}
    return Judged(remarks, too_short(found[EXAMPLES], bounds, known, now, topics.topic_name(settings, EXAMPLES)))
