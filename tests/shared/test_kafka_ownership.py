"""What a Kafka member takes for its own, generation by generation."""

from typing import Any, NamedTuple

import pytest
from kafka import TopicPartition

from prequel.shared.log.kafka.assignment import AssignmentListener


class Metadata(NamedTuple):
    generation_id: int


class Consumer:
    """What the listener may touch of a client."""

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
        self.ownership = AssignmentListener(self.consumer)

    def deal(self, generation: int, *partitions: int) -> None:
        """The end of a rebalance, as the client reports it."""
        self.consumer.generation = generation
        self.ownership.on_partitions_revoked({TopicPartition("t", p) for p in self.ownership.since})
        self.ownership.on_partitions_assigned({TopicPartition("t", p) for p in partitions})


@pytest.fixture
def group() -> Group:
    return Group()


def test_what_is_new_is_paused_and_has_a_position_before_the_next_fetch(group: Group) -> None:
    group.deal(1, 0, 1)
    assert group.ownership.since == {0: 1, 1: 1}
    assert sorted(group.consumer.paused) == sorted(group.consumer.sought) == [0, 1]


def test_what_stays_in_the_next_generation_is_left_alone(group: Group) -> None:
    group.deal(1, 0, 1)
    group.consumer.paused.clear()
    group.deal(2, 1, 2)
    assert group.ownership.since == {1: 1, 2: 2}
    assert group.consumer.paused == [2]


@pytest.mark.parametrize("later", [3, 7, 1])
def test_after_a_generation_that_was_missed_everything_is_new(group: Group, later: int) -> None:
    group.deal(1, 0, 1)
    group.consumer.paused.clear()
    group.deal(later, 0, 1)
    assert group.ownership.since == {0: later, 1: later}
    assert sorted(group.consumer.paused) == [0, 1]


def test_after_a_loss_everything_is_new_even_in_the_next_generation(group: Group) -> None:
    group.deal(1, 0)
    group.ownership.on_partitions_lost({TopicPartition("t", 0)})
    assert group.ownership.since == {}
    group.deal(2, 0)
    assert group.ownership.since == {0: 2}
