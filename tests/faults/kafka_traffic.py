"""Traffic for the tests of a real Kafka that fails: threads that append and read, and a check of the log afterwards."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

from prequel.shared.log.base import LogUnavailable, Member, Message, Position, Reader, Record
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.topics import TopicState

T = TypeVar("T")

TIMEOUT_S = 60.0


def new_topic(log: KafkaLog, partitions: int = 1, copies: int = 1, **settings: str) -> str:
    name = f"t-{uuid.uuid4().hex[:12]}"
    log.create(name, TopicState(partitions, copies, {key.replace("_", "."): value for key, value in settings.items()}))
    return name


class Appender(threading.Thread):
    """Appends numbered records until it is stopped; what fails is appended again until it is acknowledged."""

    def __init__(self, log: KafkaLog, topic: str, batch: int = 5, size: int = 200) -> None:
        super().__init__()
        self._log, self._topic, self._batch, self._size = log, topic, batch, size
        self.acknowledged: dict[Position, int] = {}
        self.failures: list[str] = []
        self.stop = threading.Event()

    def run(self) -> None:
        first = 0
        while not self.stop.is_set() or first not in range(len(self.acknowledged) + 1):
            numbers = range(first, first + self._batch)
            try:
                positions = self._log.append(
                    [Message(self._topic, b"k", b"%d:" % n + bytes(self._size)) for n in numbers]
                )
            except LogUnavailable as error:
                self.failures.append(str(error))
                if self.stop.is_set():
                    return
                continue
            self.acknowledged.update(zip(positions, numbers, strict=True))
            first += self._batch

    def finish(self) -> None:
        self.stop.set()
        self.join(TIMEOUT_S)
        assert not self.is_alive()


def number(record: Record) -> int:
    return int(record.value.split(b":")[0])


class Follower(threading.Thread):
    """Reads from the begin, whatever fails, up to ``until``."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader
        self.records: list[Record] = []
        self.failures: list[str] = []
        self.until: int | None = None

    def run(self) -> None:
        deadline = time.monotonic() + 2 * TIMEOUT_S
        while time.monotonic() < deadline and (self.until is None or self._reader.positions()[0] < self.until):
            try:
                self.records += self._reader.poll(50, 0.2)
            except LogUnavailable as error:
                self.failures.append(str(error))


def check_log(log: KafkaLog, topic: str, appender: Appender, follower: Follower) -> None:
    """Every acknowledged record is at its position, in order, and the follower read the same log."""
    follower.until = log.bounds(topic)[0].end
    follower.join(TIMEOUT_S)
    read = {Position(record.partition, record.offset): number(record) for record in follower.records}
    assert len(read) == len(follower.records), "a record was read twice"
    assert appender.acknowledged.items() <= read.items()
    offsets = [record.offset for record in follower.records]
    assert offsets == sorted(offsets)
    firsts = list(dict.fromkeys(number(record) for record in follower.records))
    assert firsts == sorted(firsts)
    if not appender.failures:
        assert len(firsts) == len(follower.records), "a record is there twice though no append failed"
    assert len(log.read(topic, 0, offsets)) == len(offsets)


def retried(use: Callable[[], T]) -> T:
    """Call until the log answers: on a busy machine a broker that is up exceeds short timeouts too."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return use()
        except LogUnavailable:
            if time.monotonic() > deadline:
                raise


def next_records(reader: Reader) -> list[Record]:
    """The next records, however long they take."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (records := retried(lambda: reader.poll(10, 1.0))):
        assert time.monotonic() < deadline, "nothing came"
    return records


def take_over(member: Member) -> list[Record]:
    """Own partition 0 and read it from its begin, again where it is revoked meanwhile; its first records."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (polled := retried(lambda: member.poll(10, 0.1))).records:
        assert time.monotonic() < deadline, "nothing came"
        if 0 in polled.assigned:
            member.seek(0, 0)
    return list(polled.records)


def poll_until_unavailable(call: Callable[[], object]) -> None:
    """Call again and again, until it raises; returns if it does not for long."""
    deadline = time.monotonic() + 35
    while time.monotonic() < deadline:
        call()


def seek_to_begin(member: Member) -> None:
    """Poll until partition 0 is assigned, and seek its begin."""
    deadline = time.monotonic() + TIMEOUT_S
    while 0 not in retried(lambda: member.poll(1, 0.1)).assigned:
        assert time.monotonic() < deadline
    member.seek(0, 0)
