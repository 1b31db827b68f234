"""What becomes of group members on a real Kafka while members come, go, work long and poll briefly."""

import threading
import time
from collections import Counter, defaultdict

import pytest

from prequel.shared.log.base import LogUnavailable, Message, Record
from prequel.shared.log.kafka.log import KafkaLog
from tests.faults.kafka_logs import OpenLog
from tests.faults.kafka_traffic import TIMEOUT_S, new_topic
from tests.servers.kafka import Kafka
from tests.servers.ports import wait_until


class Worker(threading.Thread):
    """A member that reads from the committed position and commits as it goes; remembers what it read and when."""

    def __init__(self, log: KafkaLog, group: str, topic: str, name: str) -> None:
        super().__init__()
        self._member, self.label = log.join(group, topic), name
        self.records: list[tuple[int, int, Record]] = []
        self.leave = threading.Event()
        self.problems: list[str] = []
        self._unsought: set[int] = set()

    def run(self) -> None:
        owned: set[int] = set()
        try:
            while not self.leave.is_set():
                try:
                    self._turn(owned)
                except LogUnavailable:
                    continue
        except Exception as error:
            self.problems.append(repr(error))
        finally:
            self._member.close()

    def _turn(self, owned: set[int]) -> None:
        polled = self._member.poll(20, 0.05)
        owned -= set(polled.revoked)
        owned |= set(polled.assigned)
        if not {record.partition for record in polled.records} <= owned:
            self.problems.append("a record of a partition that is not owned")
        self.records += [(record.partition, polled.generation, record) for record in polled.records]
        self._unsought = self._unsought - set(polled.revoked) | set(polled.assigned)
        for partition in sorted(self._unsought):
            # Where this raises, the partition is not assigned a second time: the next turn asks again.
            self._member.seek(partition, self._member.committed(partition) or 0)
            self._unsought.remove(partition)
        ends: dict[int, int] = {}
        for record in polled.records:
            ends[record.partition] = record.offset + 1
        self._member.commit(ends)


@pytest.mark.parametrize("seconds", [6.0, pytest.param(120.0, marks=pytest.mark.soak)])
def test_in_a_storm_of_rebalances_every_record_is_read_and_only_by_its_owner(
    broker: Kafka, open_log: OpenLog, seconds: float
) -> None:
    log = open_log(broker.bootstrap(), timeout_s=10.0, session_s=6.0)
    name = new_topic(log, partitions=6)
    stop = time.monotonic() + seconds
    workers: list[Worker] = []
    everyone: list[Worker] = []
    sent = 0
    while time.monotonic() < stop or len(everyone) < 4:
        sent += len(log.append([Message(name, None, b"%d:" % n) for n in range(20)]))
        if len(workers) < 4:
            workers.append(Worker(log, f"g-{name}", name, f"worker-{len(everyone)}"))
            everyone.append(workers[-1])
            workers[-1].start()
        else:
            leaving = workers.pop(len(everyone) % 3)
            leaving.leave.set()
            leaving.join(TIMEOUT_S)
        time.sleep(0.3)  # The storm's rhythm.
    wait_until(
        lambda: len({(p, r.offset) for w in everyone for p, _, r in list(w.records)}) == sent, TIMEOUT_S, "all records"
    )
    for worker in workers:
        worker.leave.set()
    for worker in everyone:
        worker.join(TIMEOUT_S)
        assert not worker.problems
    owners: dict[tuple[int, int], set[str]] = defaultdict(set)
    for worker in everyone:
        for partition, generation, _ in worker.records:
            owners[partition, generation].add(worker.label)
    assert len(everyone) >= 4
    assert max(map(len, owners.values())) == 1, "two members read records of one partition in one generation"
    times = Counter((p, r.offset) for w in everyone for p, _, r in w.records)
    assert max(times.values()) <= len(everyone)


def test_members_that_work_long_and_poll_briefly_share_the_partitions(broker: Kafka, open_log: OpenLog) -> None:
    """kafka-python forgets joins that end between polls: without a workaround such members rebalance for ever."""
    log = open_log(broker.bootstrap(), timeout_s=10.0, session_s=6.0)
    name = new_topic(log, partitions=8)
    owned: list[set[int]] = [set() for _ in range(4)]
    generations: list[int] = []
    stop = threading.Event()

    def work(own: set[int], seconds: float) -> None:
        member = log.join(f"g-{name}", name)
        while not stop.is_set():
            polled = member.poll(10, 0.0)
            own.difference_update(polled.revoked)
            own.update(polled.assigned)
            generations.append(polled.generation)
            stop.wait(seconds)  # The work.
        member.close()

    threads = [threading.Thread(target=work, args=(own, 0.5 + 0.1 * n)) for n, own in enumerate(owned)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: sorted(map(len, owned)) == [2, 2, 2, 2], 20, f"partitions for all members: {owned}")
    finally:
        stop.set()
        for thread in threads:
            thread.join(TIMEOUT_S)
    assert max(generations) <= 8
