"""Checks for how long Kafka's topics keep records: what an operator chose is accepted, unless a window needs more."""

from typing import NamedTuple

from prequel.shared import topics
from prequel.shared.config import Settings
from prequel.shared.log.base import EXAMPLES, TOPICS, Log
from prequel.shared.log.kafka.retention import TooShort, describe_difference, find_too_short, kafka_retention
from prequel.shared.retention import floors
from prequel.shared.store.base import Store


class RetentionReport(NamedTuple):
    """Remarks on topics with which nothing is wrong, and partitions that keep records for too short a time."""

    remarks: list[str]
    too_short: list[TooShort]


def check_retention(
    cluster: topics.Cluster, log: Log, store: Store, *, settings: Settings, now: float
) -> RetentionReport:
    """A report on the topics that exist; ``now``: seconds since the epoch.

    Blocks; raises LogUnavailable and StoreUnavailable.
    """
    retentions = {
        topic: kafka_retention(state.settings, state.partitions) for topic, state in cluster.describe(TOPICS).items()
    }
    differences = [
        describe_difference(topic, retentions[topic], settings.retention_of(topic), topics.topic_name(settings, topic))
        for topic in TOPICS
        if topic in retentions
    ]
    remarks = [each for each in differences if each]
    if EXAMPLES not in retentions:
        return RetentionReport(remarks, [])
    bounds = log.bounds(EXAMPLES)
    published = {partition: floors.read(store, partition) for partition in bounds}
    known = {partition: floor for partition, floor in published.items() if floor}
    name = topics.topic_name(settings, EXAMPLES)
    too_short = find_too_short(retentions[EXAMPLES], bounds, known, now=now, name_on_cluster=name)
    return RetentionReport(remarks, too_short)
