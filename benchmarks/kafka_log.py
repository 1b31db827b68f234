"""Claim: our Kafka log produces and consumes at 80 % or more of bare kafka-python, at 8 KB and at 400 KB.

``python -m benchmarks.kafka_log [--records N] [--rounds N] [--bootstrap HOST:PORT]``: all take turns in one run, on one
broker (started here from Maven's artifacts unless one is named), with the same values and the same client settings
(batches of 1 MiB, linger 5 ms, idempotence, CRCs). The bare client sends in a loop, flushes once, and looks at no
acknowledgement; Prequel checks every one and returns positions. Rates are medians of the rounds, ratios those of each
round to the bare client's next to it.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.sqlite_log import HEADERS
from prequel.shared.log.base import Headers, Message
from prequel.shared.log.kafka.cluster import KafkaCluster
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.topics import TopicState


class Bare:
    """The minimum that kafka-python needs."""

    def __init__(self, servers: str, topic: str, value: bytes) -> None:
        self._servers, self._topic, self._value = servers, topic, value
        self._producer = KafkaProducer(
            bootstrap_servers=servers, batch_size=2**20, linger_ms=5, max_request_size=8 * 2**20, metrics_enabled=False
        )
        self._producer.partitions_for(topic)

    def write(self, count: int) -> None:
        for _ in range(count):
            self._producer.send(self._topic, self._value, b"pets", partition=0)
        self._producer.flush()

    def read(self, count: int) -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=self._servers,
            max_partition_fetch_bytes=4 * 2**20,
            enable_auto_commit=False,
            metrics_enabled=False,
        )
        consumer.assign([TopicPartition(self._topic, 0)])
        consumer.seek(TopicPartition(self._topic, 0), 0)
        while count > 0:
            count -= sum(map(len, consumer.poll(1000, max_records=500).values()))
        consumer.close()

    def close(self) -> None:
        self._producer.close()


class PrequelLog:
    def __init__(self, servers: str, topic: str, value: bytes, *, headers: Headers, batch: int) -> None:
        self.log = KafkaLog(KafkaCluster(servers))
        self._topic, self._batch = topic, batch
        self._message = Message(topic, b"pets", value, headers, 0)
        self.log.partitions(topic)
        self.log.append([])

    def write(self, count: int) -> None:
        for _ in range(0, count, self._batch):
            self.log.append([self._message] * self._batch)

    def read(self, count: int) -> None:
        reader = self.log.follow(self._topic, {0: 0})
        while count > 0:
            count -= len(reader.poll(500, 1.0))
        reader.close()

    def close(self) -> None:
        self.log.close()


def rate(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def throughput(servers: str, size: int, *, records: int, rounds: int, batches: tuple[int, int]) -> None:
    value = os.urandom(size)

    def topic(name: str) -> str:
        return new_topic(servers, f"{name}-{size}")

    contenders: dict[str, Bare | PrequelLog] = {
        "bare kafka-python": Bare(servers, topic("bare"), value),
        f"Prequel, appends of {batches[0]}": PrequelLog(servers, topic("large"), value, headers=(), batch=batches[0]),
        f"Prequel, appends of {batches[1]}": PrequelLog(servers, topic("small"), value, headers=(), batch=batches[1]),
        f"Prequel, {batches[0]}, 9 headers": PrequelLog(
            servers, topic("event"), value, headers=HEADERS, batch=batches[0]
        ),
    }
    for contender in contenders.values():
        contender.write(batches[0])  # connected, and warm
    writes: dict[str, list[float]] = {name: [] for name in contenders}
    reads: dict[str, list[float]] = {name: [] for name in contenders}
    for name, contender in [*contenders.items()] * rounds:
        writes[name].append(rate(records, partial(contender.write, records)))
    for name, contender in [*contenders.items()] * rounds:
        reads[name].append(rate(records, partial(contender.read, records)))
    for verb, rates in (("produce", writes), ("consume", reads)):
        for name, own in rates.items():
            ratio = statistics.median(a / b for a, b in zip(own, rates["bare kafka-python"], strict=True))
            print(f"{size / 1000:5.0f} KB {verb:8}{name:24}{statistics.median(own):9,.0f}/s{ratio:7.2f}", flush=True)
    for contender in contenders.values():
        contender.close()


def new_topic(servers: str, name: str) -> str:
    log = KafkaLog(KafkaCluster(servers))
    name = f"benchmark-{name}-{os.getpid()}"
    log.create(name, TopicState(1, 1, {"max.message.bytes": str(2**24)}))
    log.close()
    return name


def lookups(servers: str, batch: int, records: int) -> None:
    """Feature vectors read by position, as late labels need them; appended ``batch`` at a time."""
    topic = new_topic(servers, f"lookups-{batch}")
    log = KafkaLog(KafkaCluster(servers))
    vector = os.urandom(1280 * 4)
    for _ in range(0, records, batch):
        log.append([Message(topic, b"pets", vector, HEADERS, 0)] * batch)
    chosen = random.Random(0).sample(range(records), 1000)
    log.read(topic, 0, chosen[:1])

    def one_by_one() -> None:
        for offset in chosen[:300]:
            log.read(topic, 0, [offset])

    for name, count, work in (
        ("one call for each", 300, one_by_one),
        ("1,000 in one call", 1000, lambda: log.read(topic, 0, chosen)),
        ("a range in one call", records, lambda: log.read(topic, 0, range(records))),
    ):
        print(f"1280-dim vectors appended {batch:3} at a time, {name:20}{rate(count, work):9,.0f}/s", flush=True)
    log.close()


def latency(servers: str, count: int) -> None:
    topic = new_topic(servers, "latency")
    log = KafkaLog(KafkaCluster(servers))
    reader = log.follow(topic, {0: 0})
    log.append([Message(topic, b"k", b"", (), 0)])
    reader.poll(1, 5.0)
    alone, through = [], []
    for _ in range(count):
        began = time.perf_counter()
        log.append([Message(topic, b"k", bytes(8192), (), 0)])
        alone.append(time.perf_counter() - began)
        reader.poll(1, 5.0)
        through.append(time.perf_counter() - began)
    for name, times in (("append of one", alone), ("append of one to reader", through)):
        late = statistics.quantiles(times, n=20)[-1]
        print(f"{name:32}p50 {1000 * statistics.median(times):6.2f} ms   p95 {1000 * late:6.2f} ms")
    log.close()


def measure(servers: str, records: int, rounds: int) -> None:
    throughput(servers, 8_192, records=records, rounds=rounds, batches=(1000, 100))
    throughput(servers, 400_000, records=max(20, records // 20), rounds=rounds, batches=(50, 5))
    for batch in (32, 200):
        lookups(servers, batch, 6400)
    latency(servers, 300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000, help="of 8 KB per round; a twentieth of 400 KB")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bootstrap", default="", help="host:port of an existing broker")
    arguments = parser.parse_args()
    if arguments.bootstrap:
        measure(arguments.bootstrap, arguments.records, arguments.rounds)
        return
    from tests.servers.kafka import Kafka  # needs Java and Maven, and the tests beside

    with tempfile.TemporaryDirectory() as folder, Kafka(Path(folder) / "cluster") as cluster:
        measure(cluster.bootstrap(), arguments.records, arguments.rounds)


if __name__ == "__main__":
    main()
