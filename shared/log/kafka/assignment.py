"""Follows which partitions a Kafka group assigns to a member, generation by generation."""

from collections.abc import Collection
from typing import Any

from kafka import ConsumerRebalanceListener

NO_GENERATION = -1
"""The generation of a consumer that is no member of its group, whatever else it reports."""


class AssignmentListener(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Partition -> the generation since which this member has owned it without a break.

    Called on the client's own thread while the member's thread waits in poll(): blocking here would keep the group's
    rebalance from ever ending, so this only remembers, pauses and seeks. The member reports the changes after the poll.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.since: dict[int, int] = {}
        self.generation = NO_GENERATION

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        """Nothing: every rebalance begins with this, for all partitions. Which of them stay is known at its end."""

    def on_partitions_lost(self, lost: Collection[Any]) -> None:
        """The member was evicted: others may own its partitions already."""
        self.reset()

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        """The end of a rebalance.

        1. Partitions that were owned in the generation directly before this one are kept: nobody else can have owned
           them in between. After a missed generation somebody can have, so all count as new.
        2. New ones are paused, *before* the next fetch, until the member seeks them.
        3. They get a position, any: without one the client would ask the group for it, and wait.
        """
        generation = self._consumer.group_metadata().generation_id
        kept = self.since if generation == self.generation + 1 else {}
        new = [tp for tp in assigned if tp.partition not in kept]
        self._consumer.pause(*new)
        for tp in new:
            self._consumer.seek(tp, 0)
        self.since = {tp.partition: kept.get(tp.partition, generation) for tp in assigned}
        self.generation = generation

    def reset(self) -> None:
        """Nothing is owned any more."""
        self.since, self.generation = {}, NO_GENERATION
