"""What becomes of appends, readers and members when a real broker is killed, restarted, cut off, slow or silent."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prequel.shared.log.base import LogUnavailable, Message, OffsetOutOfRange, Record
from tests.faults.kafka_logs import OpenLog
from tests.faults.kafka_traffic import (
    TIMEOUT_S,
    Appender,
    Follower,
    check_log,
    new_topic,
    next_records,
    number,
    poll_until_unavailable,
    retried,
    seek_to_begin,
    take_over,
)
from tests.servers.kafka import Kafka
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy

# The broker.


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_nothing_acknowledged_is_lost_when_the_broker_is_restarted(
    broker: Kafka, open_log: OpenLog, topic: str, how: str
) -> None:
    log = open_log(broker.bootstrap())
    appender, follower = Appender(log, topic), Follower(log.follow(topic, {0: 0}))
    appender.start()
    follower.start()
    wait_until(lambda: len(appender.acknowledged) > 50, TIMEOUT_S, "appends")
    getattr(broker, how)()
    broker.start()
    mark = len(appender.acknowledged)
    wait_until(lambda: len(appender.acknowledged) > mark + 50, TIMEOUT_S, "appends after the restart")
    appender.finish()
    check_log(log, topic, appender, follower)


def test_a_broker_that_is_down_raises_and_is_found_again(broker: Kafka, open_log: OpenLog, topic: str) -> None:
    log = open_log(broker.bootstrap(), timeout_s=0.7, delivery_s=1.8, quiet_s=0.3)
    open_log(broker.bootstrap(), timeout_s=10.0, delivery_s=30.0).append([Message(topic, b"k", b"0:")])
    reader, member = log.follow(topic, {0: 0}), log.join(f"g-{topic}", topic)
    assert len(next_records(reader)) == 1
    assert len(take_over(member)) == 1
    broker.kill()
    uses: list[Callable[[], object]] = [
        lambda: member.commit({0: 1}),
        lambda: log.append([Message(topic, b"k", b"1:")]),
        lambda: log.bounds(topic),
        lambda: log.read(topic, 0, [0]),
        lambda: poll_until_unavailable(lambda: reader.poll(10, 0.1)),
        lambda: poll_until_unavailable(lambda: member.poll(10, 0.1)),
    ]
    for use in uses:
        began = time.monotonic()
        with pytest.raises(LogUnavailable):
            use()
        assert time.monotonic() - began < 40
    broker.start()
    appended = retried(lambda: log.append([Message(topic, b"k", b"1:")]))[0].offset
    records: list[Record] = []
    while not records or records[-1].offset < appended:
        records += next_records(reader)
    assert {number(record) for record in records} == {1}
    assert retried(lambda: log.read(topic, 0, [0]))[0].value == b"0:"
    assert number(take_over(member)[0]) == 0


# The network.


def test_a_network_that_breaks_and_delays_loses_and_duplicates_nothing(
    broker: Kafka, proxy: Proxy, open_log: OpenLog, topic: str
) -> None:
    log = open_log(f"127.0.0.1:{proxy.port}", timeout_s=10.0, delivery_s=30.0)
    appender, follower = Appender(log, topic), Follower(log.follow(topic, {0: 0}))
    appender.start()
    follower.start()
    for n in range(12):
        mark = len(appender.acknowledged)
        proxy.delay_s = 0.02 * (n % 3)
        wait_until(lambda mark=mark: len(appender.acknowledged) > mark, TIMEOUT_S, "appends")  # type: ignore[misc]
        proxy.reset()
    proxy.heal()
    appender.finish()
    check_log(log, topic, appender, follower)
    # The producer is idempotent: what it sends again after a broken connection is not there twice.
    assert not appender.failures


def test_a_network_that_swallows_everything_raises_and_is_survived(
    broker: Kafka, proxy: Proxy, open_log: OpenLog, topic: str
) -> None:
    log = open_log(f"127.0.0.1:{proxy.port}", timeout_s=1.0, delivery_s=2.0)
    appender, follower = Appender(log, topic), Follower(log.follow(topic, {0: 0}))
    appender.start()
    follower.start()
    wait_until(lambda: len(appender.acknowledged) > 20 and bool(follower.records), TIMEOUT_S, "appends")
    proxy.swallow()
    wait_until(lambda: bool(appender.failures and follower.failures), TIMEOUT_S, "failures")
    mark = len(appender.acknowledged)
    proxy.heal()
    wait_until(lambda: len(appender.acknowledged) > mark + 20, TIMEOUT_S, "appends after the network is back")
    appender.finish()
    check_log(log, topic, appender, follower)


def test_bytes_in_flight_to_a_broker_that_does_not_answer_are_bounded(
    broker: Kafka, proxy: Proxy, open_log: OpenLog, topic: str
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


def test_a_stuck_client_is_noticed_and_replaced(broker: Kafka, open_log: OpenLog, topic: str) -> None:
    log = open_log(broker.bootstrap(), timeout_s=10.0, delivery_s=30.0, quiet_s=0.3)
    reader, member = log.follow(topic, {0: 0}), log.join(f"g-{topic}", topic)
    seek_to_begin(member)
    assert member.poll(10, 0.1).records == reader.poll(10, 0.1) == []
    for stuck in (reader, member):
        # As a stuck client does: it polls, raises nothing, and delivers nothing.
        stuck._consumer.pause(*stuck._consumer.assignment())
    log.append([Message(topic, b"k", b"1:")])
    for poll in (lambda: reader.poll(10, 0.1), lambda: member.poll(10, 0.1)):
        with pytest.raises(LogUnavailable, match="is stuck"):
            poll_until_unavailable(poll)
    assert [number(record) for record in next_records(reader)] == [1]
    assert [number(record) for record in take_over(member)] == [1]


def test_a_silent_topic_does_not_count_as_a_stuck_client(broker: Kafka, open_log: OpenLog, topic: str) -> None:
    log = open_log(broker.bootstrap(), timeout_s=10.0, delivery_s=30.0, quiet_s=0.1)
    reader = log.follow(topic, {0: 0})
    for _ in range(6):
        assert reader.poll(10, 0.2) == []
    log.append([Message(topic, b"k", b"1:")])
    assert len(next_records(reader)) == 1


def test_a_reader_whose_position_retention_removed_gets_an_error(broker: Kafka, open_log: OpenLog) -> None:
    log = open_log(broker.bootstrap(), timeout_s=10.0, delivery_s=30.0)
    name = new_topic(log, retention_ms="1000", segment_bytes=str(2**20), message_timestamp_type="LogAppendTime")
    log.append([Message(name, None, bytes(200_000))] * 15)
    reader = log.follow(name, {0: 0})
    # All of it: the begin must not move between the reader's error and the question about the bounds below.
    wait_until(lambda: log.bounds(name)[0].begin == 15, TIMEOUT_S, "retention")
    with pytest.raises(OffsetOutOfRange) as raised:
        poll_until_unavailable(lambda: reader.poll(10, 0.2))
    assert raised.value.offset == 0
    assert raised.value.begin == log.bounds(name)[0].begin
