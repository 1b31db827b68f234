"""Notices when a Kafka consumer is stuck rather than idle."""

from collections.abc import Collection, Mapping
from typing import Any

from kafka import TopicPartition

from prequel.shared.log.base import LogUnavailable
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.errors import translated
from prequel.shared.runtime.deadlines import KAFKA_STARVED_S, KAFKA_WATCHDOG_S


class Watchdog:
    """Tells a silent log from a silent client: asks for the ends over the very connection that should deliver.

    kafka-python's consumers have stalled for good in releases as late as 3.0.9, without an error and with records
    waiting. A consumer that stands still before waiting records at two checks in a row is replaced. One partition that
    is silent while others deliver is checked only after KAFKA_STARVED_S: where work is slow, it waits its turn.
    """

    def __init__(self, cluster: KafkaCluster, topic: str) -> None:
        self._cluster, self._topic = cluster, topic
        self.reset()

    def reset(self) -> None:
        """Begin again: the consumer is new."""
        self._last_sign_at = self._cluster.clock()
        """When anything last came: a record, or an answer about the ends."""
        self._behind: dict[int, int] = {}
        """Partition -> position of those that were behind the end at the last check."""
        self._delivered_at: dict[int, float] = {}
        self._starved_behind: dict[int, int] = {}
        """As ``_behind``, of single partitions that were silent while others delivered."""

    def delivered(self, consumer: Any, partitions: Collection[int], reading: Collection[int]) -> None:
        """Records of some of the partitions that are read have come.

        Checks those that have long delivered nothing: blocks then, and raises LogUnavailable when one is stuck.
        """
        now = self._cluster.clock()
        self._last_sign_at, self._behind = now, self._starved_behind
        self._delivered_at = {p: now if p in partitions else self._delivered_at.get(p, now) for p in reading}
        starved = [p for p, at in self._delivered_at.items() if now - at > KAFKA_STARVED_S]
        if starved:
            with translated(self._cluster, f"reading {self._topic}"):
                positions = {p: consumer.position(TopicPartition(self._topic, p)) for p in starved}
            self._check(consumer, positions)
            self._starved_behind = self._behind
            # Check again after quiet_s, not after KAFKA_STARVED_S once more: two checks in a row make the verdict.
            self._delivered_at |= dict.fromkeys(starved, now - KAFKA_STARVED_S + self._cluster.quiet_s)
        self._behind = {}

    def nothing_delivered(self, consumer: Any, positions: Mapping[int, int]) -> None:
        """A poll returned nothing. Checks, if nothing has come for ``quiet_s``.

        Blocks then; raises LogUnavailable when the consumer is stuck, or cut off from the brokers.
        """
        if self._cluster.clock() - self._last_sign_at >= self._cluster.quiet_s:
            self._check(consumer, positions)

    def _check(self, consumer: Any, positions: Mapping[int, int]) -> None:
        timeout_ms = int(min(self._cluster.timeout_s, KAFKA_WATCHDOG_S) * 1000)
        # A member without partitions asks for one all the same: the answer shows that the brokers are there.
        partitions = [TopicPartition(self._topic, p) for p in positions or (0,)]
        with translated(self._cluster, f"reading {self._topic}"):
            ends = consumer.end_offsets(partitions, timeout_ms)
        behind = {p: at for p, at in positions.items() if ends[TopicPartition(self._topic, p)] > at}
        # Behind at one check is normal, a fetch may be under way; at the same position twice is not.
        stuck = [p for p, at in behind.items() if self._behind.get(p) == at]
        self._last_sign_at, self._behind = self._cluster.clock(), behind
        if stuck:
            raise LogUnavailable(
                f"reading {self._topic}: the client is stuck before waiting records in partitions {stuck}; "
                "it is replaced by a new one"
            )
