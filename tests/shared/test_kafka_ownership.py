"""Which partitions a Kafka member considers its own, generation by generation."""

from typing import Any, NamedTuple

import pytest
from kafka import TopicPartition

from prequel.shared.log.kafka.assignment import AssignmentListener


class Metadata(NamedTuple):
    generation_id: int


class Consumer:
    """What the listener may call of a client."""

    def __init__(self) -> None:
        self.generation = -1
        self.paused: list[int] = []
        self.sought: list[int] = []

    def group_metadata(self) -> Metadata:
        return Metadata(self.generation)

    def pause(self, *partitions: Any) -> None:
        self.paused += [tp.partition for tp in partitions]

    def seek(self, partition: Any, offset: int) -> None:
        self.sought.append(partition.partition)


class Group:
    def __init__(self) -> None:
        self.consumer = Consumer()
        self.listener = AssignmentListener(self.consumer)

    def rebalance(self, generation: int, *partitions: int) -> None:
        """The end of a rebalance, as the client reports it."""
        self.consumer.generation = generation
        self.listener.on_partitions_revoked({TopicPartition("t", p) for p in self.listener.since})
        self.listener.on_partitions_assigned({TopicPartition("t", p) for p in partitions})


@pytest.fixture
def group() -> Group:
    return Group()


def test_new_partitions_are_paused_and_get_a_position_before_the_next_fetch(group: Group) -> None:
    group.rebalance(1, 0, 1)
    assert group.listener.since == {0: 1, 1: 1}
    assert sorted(group.consumer.paused) == sorted(group.consumer.sought) == [0, 1]


def test_partitions_kept_in_the_next_generation_are_not_touched(group: Group) -> None:
    group.rebalance(1, 0, 1)
    group.consumer.paused.clear()
    group.rebalance(2, 1, 2)
    assert group.listener.since == {1: 1, 2: 2}
    assert group.consumer.paused == [2]


@pytest.mark.parametrize("later", [3, 7, 1])
def test_after_a_missed_generation_every_partition_is_new(group: Group, later: int) -> None:
    group.rebalance(1, 0, 1)
    group.consumer.paused.clear()
    group.rebalance(later, 0, 1)
    assert group.listener.since == {0: later, 1: later}
    assert sorted(group.consumer.paused) == [0, 1]


def test_after_an_eviction_every_partition_is_new_even_in_the_next_generation(group: Group) -> None:
    group.rebalance(1, 0)
    group.listener.on_partitions_lost({TopicPartition("t", 0)})
    assert group.listener.since == {}
    group.rebalance(2, 0)
    assert group.listener.since == {0: 2}
