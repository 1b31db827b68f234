"""What becomes of appends, readers and members when a real broker is killed, bounced, cut off, slow or swallowed up."""

import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from prequel.shared.log.base import LogUnavailable, Member, Message, OffsetOutOfRange, Position, Reader, Record
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.topics import TopicState
from tests.servers.jars import NoKafka
from tests.servers.kafka import Kafka
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy
from tests.servers.session import missing

Open = Callable[..., KafkaLog]
T = TypeVar("T")

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as started:
        yield started


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[Kafka]:
    """A broker that the tests may kill; one of its listeners leads through the proxy."""
    try:
        server = Kafka(tmp_path_factory.mktemp("faults") / "cluster", proxied_at=proxy.port)
        server.start()
    except NoKafka as error:
        missing(str(error))
    proxy.target = server.nodes[0].ports["PROXIED"]
    yield server
    server.discard()


@pytest.fixture
def open_log() -> Iterator[Open]:
    opened: list[KafkaLog] = []

    def start(servers: str, **given: Any) -> KafkaLog:
        options = {"timeout_s": 2.0, "delivery_s": 4.0, "session_s": 6.0, "quiet_s": 0.5}
        opened.append(KafkaLog(KafkaCluster(servers, **(options | given))))
        return opened[-1]

    yield start
    for log in opened:
        log.close()
    wait_until(lambda: not clients(), 60, f"the end of all clients: {clients()}")


def clients() -> list[str]:
    """Threads of kafka-python's that are still there."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kafka-")]


@pytest.fixture
def topic(broker: Kafka, open_log: Open) -> str:
    broker.start()
    return new_topic(open_log(broker.bootstrap(), timeout_s=10.0))


def new_topic(log: KafkaLog, partitions: int = 1, copies: int = 1, **settings: str) -> str:
    name = f"t-{uuid.uuid4().hex[:12]}"
    log.create(name, TopicState(partitions, copies, {key.replace("_", "."): value for key, value in settings.items()}))
    return name


class Appender(threading.Thread):
    """Appends numbered records until told to stop; one that fails is appended again until it is acknowledged."""

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
        self.join(PATIENCE_S)
        assert not self.is_alive()


def number(record: Record) -> int:
    return int(record.value.split(b":")[0])


class Follower(threading.Thread):
    """Reads from the beginning, whatever happens, until it has read the given end."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader
        self.records: list[Record] = []
        self.failures: list[str] = []
        self.until: int | None = None

    def run(self) -> None:
        deadline = time.monotonic() + 2 * PATIENCE_S
        while time.monotonic() < deadline and (self.until is None or self._reader.positions()[0] < self.until):
            try:
                self.records += self._reader.poll(50, 0.2)
            except LogUnavailable as error:
                self.failures.append(str(error))


def check_log(log: KafkaLog, topic: str, appender: Appender, follower: Follower) -> None:
    """Every acknowledged record is where it was said to be, in order, and the follower saw the same log."""
    follower.until = log.bounds(topic)[0].end
    follower.join(PATIENCE_S)
    found = {Position(record.partition, record.offset): number(record) for record in follower.records}
    assert len(found) == len(follower.records), "a record was read twice"
    assert appender.acknowledged.items() <= found.items()
    offsets = [record.offset for record in follower.records]
    assert offsets == sorted(offsets)
    firsts = list(dict.fromkeys(number(record) for record in follower.records))
    assert firsts == sorted(firsts)
    if not appender.failures:
        assert len(firsts) == len(follower.records), "a record is there twice though no append failed"
    assert len(log.read(topic, 0, offsets)) == len(offsets)


# The broker.


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_nothing_acknowledged_is_lost_when_the_broker_is_bounced(
    broker: Kafka, open_log: Open, topic: str, how: str
) -> None:
    log = open_log(broker.bootstrap())
    appender, follower = Appender(log, topic), Follower(log.follow(topic, {0: 0}))
    appender.start()
    follower.start()
    wait_until(lambda: len(appender.acknowledged) > 50, PATIENCE_S, "appends")
    getattr(broker, how)()
    broker.start()
    mark = len(appender.acknowledged)
    wait_until(lambda: len(appender.acknowledged) > mark + 50, PATIENCE_S, "appends after the bounce")
    appender.finish()
    check_log(log, topic, appender, follower)


def test_a_broker_that_is_away_is_said_and_found_again(broker: Kafka, open_log: Open, topic: str) -> None:
    log = open_log(broker.bootstrap(), timeout_s=0.7, delivery_s=1.8, quiet_s=0.3)
    open_log(broker.bootstrap(), timeout_s=10.0, delivery_s=30.0).append([Message(topic, b"k", b"0:")])
    reader, member = log.follow(topic, {0: 0}), log.join(f"g-{topic}", topic)
    assert len(delivered(reader)) == 1
    assert len(taken_over(member)) == 1
    broker.kill()
    uses: list[Callable[[], object]] = [
        lambda: member.commit({0: 1}),
        lambda: log.append([Message(topic, b"k", b"1:")]),
        lambda: log.bounds(topic),
        lambda: log.read(topic, 0, [0]),
        lambda: until_unavailable(lambda: reader.poll(10, 0.1)),
        lambda: until_unavailable(lambda: member.poll(10, 0.1)),
    ]
    for use in uses:
        began = time.monotonic()
        with pytest.raises(LogUnavailable):
            use()
        assert time.monotonic() - began < 40
    broker.start()
    appended = patiently(lambda: log.append([Message(topic, b"k", b"1:")]))[0].offset
    records: list[Record] = []
    while not records or records[-1].offset < appended:
        records += delivered(reader)
    assert {number(record) for record in records} == {1}
    assert patiently(lambda: log.read(topic, 0, [0]))[0].value == b"0:"
    assert number(taken_over(member)[0]) == 0


def patiently(use: Callable[[], T]) -> T:
    """What it gives once the log answers: on a busy machine a broker that is up exceeds short timeouts too."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return use()
        except LogUnavailable:
            if time.monotonic() > deadline:
                raise


def delivered(reader: Reader) -> list[Record]:
    """The next records, however long they take."""
    deadline = time.monotonic() + PATIENCE_S
    while not (records := patiently(lambda: reader.poll(10, 1.0))):
        assert time.monotonic() < deadline, "nothing came"
    return records


def taken_over(member: Member) -> list[Record]:
    """Take partition 0 over from its start, once more where it is lost meanwhile; its first records."""
    deadline = time.monotonic() + PATIENCE_S
    while not (polled := patiently(lambda: member.poll(10, 0.1))).records:
        assert time.monotonic() < deadline, "nothing came"
        if 0 in polled.assigned:
            member.seek(0, 0)
    return list(polled.records)


def until_unavailable(call: Callable[[], object]) -> None:
    """Call again and again; returns only if nothing is raised for long."""
    deadline = time.monotonic() + 35
    while time.monotonic() < deadline:
        call()


def take_over(member: Member) -> None:
    """Poll until partition 0 is ours, and begin it from the start."""
    deadline = time.monotonic() + PATIENCE_S
    while 0 not in patiently(lambda: member.poll(1, 0.1)).assigned:
        assert time.monotonic() < deadline
    member.seek(0, 0)


# The network.


def test_a_network_that_breaks_and_delays_loses_and_doubles_nothing(
    broker: Kafka, proxy: Proxy, open_log: Open, topic: str
) -> None:
    log = open_log(f"127.0.0.1:{proxy.port}", timeout_s=10.0, delivery_s=30.0)
    appender, follower = Appender(log, topic), Follower(log.follow(topic, {0: 0}))
    appender.start()
    follower.start()
    for n in range(12):
        mark = len(appender.acknowledged)
        proxy.delay_s = 0.02 * (n % 3)
        wait_until(lambda mark=mark: len(appender.acknowledged) > mark, PATIENCE_S, "appends")  # type: ignore[misc]
        proxy.reset()
    proxy.heal()
    appender.finish()
    check_log(log, topic, appender, follower)
    # The producer is idempotent: what it sends again after a broken connection is not there twice.
    assert not appender.failures


def test_a_network_that_swallows_everything_is_said_and_survived(
    broker: Kafka, proxy: Proxy, open_log: Open, topic: str
) -> None:
    log = open_log(f"127.0.0.1:{proxy.port}", timeout_s=1.0, delivery_s=2.0)
    appender, follower = Appender(log, topic), Follower(log.follow(topic, {0: 0}))
    appender.start()
    follower.start()
    wait_until(lambda: len(appender.acknowledged) > 20 and bool(follower.records), PATIENCE_S, "appends")
    proxy.swallow()
    wait_until(lambda: bool(appender.failures and follower.failures), PATIENCE_S, "failures")
    mark = len(appender.acknowledged)
    proxy.heal()
    wait_until(lambda: len(appender.acknowledged) > mark + 20, PATIENCE_S, "appends after the network is back")
    appender.finish()
    check_log(log, topic, appender, follower)


def test_bytes_in_flight_to_a_broker_that_does_not_answer_are_bounded(
    broker: Kafka, proxy: Proxy, open_log: Open, topic: str
) -> None:
    log = open_log(f"127.0.0.1:{proxy.port}", delivery_s=4.0)
    log.append([Message(topic, None, b"warm")])
    image = bytes(400_000)
    proxy.swallow()
    before = resident_bytes()
    failures: list[str] = []

    def append() -> None:
        try:
            log.append([Message(topic, None, image)] * 500)
        except LogUnavailable as error:
            failures.append(str(error))

    threads = [threading.Thread(target=append) for _ in range(2)]
    for thread in threads:
        thread.start()
    highest = before
    while any(thread.is_alive() for thread in threads):
        highest = max(highest, resident_bytes())
        threads[0].join(0.05)
    proxy.heal()
    assert len(failures) == 2
    assert highest - before < 100 * 2**20, "400 MB were to be sent"


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


# The client.


def test_a_client_that_stands_still_is_found_out_and_replaced(broker: Kafka, open_log: Open, topic: str) -> None:
    log = open_log(broker.bootstrap(), timeout_s=10.0, delivery_s=30.0, quiet_s=0.3)
    reader, member = log.follow(topic, {0: 0}), log.join(f"g-{topic}", topic)
    take_over(member)
    assert member.poll(10, 0.1).records == reader.poll(10, 0.1) == []
    for stuck in (reader, member):
        # As a stalled client does: it polls, says nothing, and delivers nothing.
        stuck._consumer.pause(*stuck._consumer.assignment())
    log.append([Message(topic, b"k", b"1:")])
    for poll in (lambda: reader.poll(10, 0.1), lambda: member.poll(10, 0.1)):
        with pytest.raises(LogUnavailable, match="is stuck"):
            until_unavailable(poll)
    assert [number(record) for record in delivered(reader)] == [1]
    assert [number(record) for record in taken_over(member)] == [1]


def test_a_silent_topic_is_not_taken_for_a_stall(broker: Kafka, open_log: Open, topic: str) -> None:
    log = open_log(broker.bootstrap(), timeout_s=10.0, delivery_s=30.0, quiet_s=0.1)
    reader = log.follow(topic, {0: 0})
    for _ in range(6):
        assert reader.poll(10, 0.2) == []
    log.append([Message(topic, b"k", b"1:")])
    assert len(delivered(reader)) == 1


def test_a_reader_that_retention_has_passed_is_told(broker: Kafka, open_log: Open) -> None:
    log = open_log(broker.bootstrap(), timeout_s=10.0, delivery_s=30.0)
    name = new_topic(log, retention_ms="1000", segment_bytes=str(2**20), message_timestamp_type="LogAppendTime")
    log.append([Message(name, None, bytes(200_000))] * 15)
    reader = log.follow(name, {0: 0})
    # All of it: the beginning must not move on between what the reader is told and what is asked then.
    wait_until(lambda: log.bounds(name)[0].begin == 15, PATIENCE_S, "retention")
    with pytest.raises(OffsetOutOfRange) as raised:
        until_unavailable(lambda: reader.poll(10, 0.2))
    assert raised.value.offset == 0
    assert raised.value.begin == log.bounds(name)[0].begin


# Groups.


class Worker(threading.Thread):
    """A member that reads from the committed position and commits as it goes, and says what it was given when."""

    def __init__(self, log: KafkaLog, group: str, topic: str, name: str) -> None:
        super().__init__()
        self._member, self.label = log.join(group, topic), name
        self.given: list[tuple[int, int, Record]] = []
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
            self.problems.append("a record of a partition that is not ours")
        self.given += [(record.partition, polled.generation, record) for record in polled.records]
        self._unsought = self._unsought - set(polled.revoked) | set(polled.assigned)
        for partition in sorted(self._unsought):
            # Where the log does not tell now, it assigns the partition no second time: the next turn asks again.
            self._member.seek(partition, self._member.committed(partition) or 0)
            self._unsought.remove(partition)
        ends: dict[int, int] = {}
        for record in polled.records:
            ends[record.partition] = record.offset + 1
        self._member.commit(ends)


@pytest.mark.parametrize("seconds", [6.0, pytest.param(120.0, marks=pytest.mark.soak)])
def test_in_a_storm_of_rebalances_every_record_is_given_and_only_to_its_owner(
    broker: Kafka, open_log: Open, seconds: float
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
            leaving.join(PATIENCE_S)
        time.sleep(0.3)  # The storm's rhythm.
    wait_until(
        lambda: len({(p, r.offset) for w in everyone for p, _, r in list(w.given)}) == sent, PATIENCE_S, "all records"
    )
    for worker in workers:
        worker.leave.set()
    for worker in everyone:
        worker.join(PATIENCE_S)
        assert not worker.problems
    owners: dict[tuple[int, int], set[str]] = defaultdict(set)
    for worker in everyone:
        for partition, generation, _ in worker.given:
            owners[partition, generation].add(worker.label)
    assert len(everyone) >= 4
    assert max(map(len, owners.values())) == 1, "two members were given records of one partition in one generation"
    times = Counter((p, r.offset) for w in everyone for p, _, r in w.given)
    assert max(times.values()) <= len(everyone)


def test_members_that_work_long_and_poll_briefly_come_to_share(broker: Kafka, open_log: Open) -> None:
    """The library forgets joins that end between two polls; such members would begin new rebalances without end."""
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
            thread.join(PATIENCE_S)
    assert max(generations) <= 8


# Several brokers.


@pytest.mark.soak
def test_with_three_brokers_any_of_them_may_be_bounced_at_any_time(tmp_path: Path, open_log: Open) -> None:
    with Kafka(tmp_path / "three", 3) as cluster:
        log = open_log(cluster.bootstrap(), timeout_s=5.0, delivery_s=15.0, session_s=6.0)
        name = new_topic(log, copies=3, min_insync_replicas="2")
        appender, follower = Appender(log, name), Follower(log.follow(name, {0: 0}))
        appender.start()
        follower.start()
        for node in cluster.nodes:
            for how in (cluster.kill, cluster.stop_one):
                mark = len(appender.acknowledged)
                wait_until(lambda m=mark: len(appender.acknowledged) > m + 20, PATIENCE_S, "appends")  # type: ignore[misc]
                how(node.number)
                mark = len(appender.acknowledged)
                wait_until(lambda m=mark: len(appender.acknowledged) > m + 20, PATIENCE_S, "appends on two")  # type: ignore[misc]
                cluster.start()
                wait_until(lambda: in_sync(log, name) == 3, PATIENCE_S, "all in sync")
        appender.finish()
        check_log(log, name, appender, follower)
        cluster.kill(1)
        cluster.kill(2)
        with pytest.raises(LogUnavailable):
            log.append([Message(name, b"k", b"0:")])


def in_sync(log: KafkaLog, topic: str) -> int:
    try:
        (found,) = log._admin._ask("looking", lambda client: client.describe_topics([topic]))
    except LogUnavailable:
        return 0
    return len(found["partitions"][0]["isr_nodes"])
