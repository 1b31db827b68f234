"""The watchdog over a Kafka consumer: what is idle, what is stuck, and which partition."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from prequel.shared.log.base import LogUnavailable
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.watchdog import Watchdog
from prequel.shared.runtime.deadlines import KAFKA_STARVED_S as STARVED_S

QUIET_S = 5.0


class Consumer:
    """What the watchdog asks of a client: where partitions end."""

    def __init__(self, ends: Mapping[int, int]) -> None:
        self.ends, self.requests = dict(ends), 0
        self.positions: dict[int, int] = {}

    def position(self, partition: Any) -> int:
        return self.positions[partition.partition]

    def end_offsets(self, partitions: Sequence[Any], timeout_ms: int) -> dict[Any, int]:
        self.requests += 1
        return {each: self.ends[each.partition] for each in partitions}


class Watched:
    """A watchdog, its clock and its consumer."""

    def __init__(self, ends: Mapping[int, int]) -> None:
        self.now = 100.0
        cluster = KafkaCluster("127.0.0.1:1", quiet_s=QUIET_S, clock=lambda: self.now)
        self.dog, self.consumer = Watchdog(cluster, "t"), Consumer(ends)

    def quiet(self, positions: Mapping[int, int], seconds: float) -> None:
        self.now += seconds
        self.dog.nothing_delivered(self.consumer, positions)

    def fed(self, positions: Mapping[int, int], seconds: float) -> None:
        """Records came of the partitions that have moved."""
        self.now += seconds
        delivered = [p for p, at in positions.items() if self.consumer.positions.get(p) != at]
        self.consumer.positions = dict(positions)
        self.dog.delivered(self.consumer, delivered, list(positions))


def test_a_silent_log_is_not_a_stall() -> None:
    watched = Watched({0: 7})
    for _ in range(100):
        watched.quiet({0: 7}, QUIET_S)
    assert watched.consumer.requests == 100


def test_no_progress_between_two_looks_while_records_wait_is_a_stall() -> None:
    watched = Watched({0: 9})
    watched.quiet({0: 7}, QUIET_S)
    watched.quiet({0: 7}, QUIET_S / 2)
    with pytest.raises(LogUnavailable, match=r"waiting records in partitions \[0\]"):
        watched.quiet({0: 7}, QUIET_S / 2)


def test_no_progress_of_one_partition_while_others_deliver_is_a_stall_in_the_end() -> None:
    watched, at = Watched({0: 10**6, 1: 9, 2: 5}), 0
    with pytest.raises(LogUnavailable, match=r"waiting records in partitions \[1\]"):  # noqa: PT012
        for at in range(10_000):
            watched.fed({0: at, 1: 7, 2: 5}, 1.0)
    assert STARVED_S <= at <= STARVED_S + QUIET_S + 3


def test_a_record_that_has_just_arrived_is_not_a_sign_of_a_stall() -> None:
    watched = Watched({0: 10**6, 1: 7})
    for at in range(3 * int(STARVED_S)):
        watched.consumer.ends[1] = 8 if at == int(STARVED_S) + 1 else 7
        watched.fed({0: at, 1: 7}, 1.0)


def test_partitions_that_progress_or_are_at_their_end_are_not_a_stall() -> None:
    watched = Watched({0: 10**6, 1: 10**6, 2: 5})
    for at in range(3 * int(STARVED_S)):
        watched.fed({0: at, 1: at // 500, 2: 5}, 1.0)
    assert watched.consumer.requests <= 3 * STARVED_S / QUIET_S
