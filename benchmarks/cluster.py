"""Claim: on Kafka and Redis the digits stream at 80 % of the embedded rate, and a learner is back in 5 seconds.

``python -m benchmarks.cluster [--rounds N] [--images N] [--examples N] [--labels N]``: real servers, the services as
processes of their own. Rates that are compared are measured in turns.
"""

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import numpy as np

from benchmarks.end_to_end import Copies, Quiet, prequel
from prequel.services.producer.client import Client, connect
from prequel.services.producer.run import Run
from prequel.services.producer.sources.base import Survey
from prequel.services.producer.sources.digits import Digits
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import encode_image
from prequel.shared.events.labels import encode_label
from prequel.shared.events.types import Image
from prequel.shared.log.base import EXAMPLES, PREDICTIONS, Log, Message, Position
from prequel.shared.log.kafka.log import KafkaLog
from tests.servers.ports import wait_until
from tests.system.cluster import Cluster, Service, all_ready

PLAIN = {"PREQUEL_CHECKPOINT_SECONDS": "5", "PREQUEL_CACHE_EXAMPLES": "20000", "PREQUEL_WINDOW": "50000",
         "PREQUEL_DECODE_THREADS": "0", "PREQUEL_THREADS": "0"}  # fmt: skip
"""The default settings, of which the tests' cluster changes some."""

BATCH = 32
"""Features in one append, as an extractor appends them: Kafka stores and sends them as one batch."""

LABELS = [f"class {number}" for number in range(10)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=1_797, help="per round")
    parser.add_argument("--examples", type=int, default=50_000, help="in the window of a learner that restarts")
    parser.add_argument("--labels", type=int, default=5_000, help="late ones")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder), PLAIN) as cluster:
        cluster.reset()
        measure_digits(cluster, Path(folder), options.images, options.rounds)
        for dim in (32, 1_280):
            cluster.end_services()
            cluster.reset()
            measure_restart(cluster, dim, options.examples, options.labels)
        cluster.end_services()
        measure_extractors(cluster, 2 * options.images, options.rounds)


# Digits, end to end.


def measure_digits(cluster: Cluster, folder: Path, count: int, rounds: int) -> None:
    """From images to predictions over HTTP, alternately on the servers and embedded."""
    files = digits()
    services = [*cluster.start("learner"), *cluster.start("extractor"), *cluster.start("gateway")]
    all_ready(services)
    ratios = []
    alone = prequel({}, folder / "embedded")
    with alone as (url, _), producer(url) as embedded, producer(services[-1].url) as spread:
        for client in (embedded, spread):
            rate(client, files, count // 4, "warm")
        for number in range(rounds):
            rates = [rate(client, files, count, f"round-{number}") for client in (embedded, spread)]
            ratios.append(rates[1] / rates[0])
            print("digits end to end: embedded {:.0f}/s, Kafka and Redis {:.0f}/s".format(*rates), flush=True)
    print(f"ratio: {statistics.median(ratios):.2f} (median of {rounds} rounds)", flush=True)


def digits() -> list[bytes]:
    source = Digits()
    return [source.load(entry).data for entry in source.images(Survey())]


@contextmanager
def producer(url: str) -> Iterator[Client]:
    with connect(url, None, stop=threading.Event(), clock=time.monotonic) as client:
        yield client


def rate(client: Client, files: Sequence[bytes], count: int, prefix: str) -> float:
    """Answered images per second."""
    source = Copies(files, count, prefix)
    run = Run(source, "bench", client, progress=Quiet(), stop=threading.Event(), clock=time.monotonic)
    summary = run.run(source.images(Survey()))
    assert summary.new == count, summary
    return summary.rate


# A learner with a full window.


def measure_restart(cluster: Cluster, dim: int, count: int, labels: int) -> None:
    """Fold ``count`` examples, every other one labelled; kill, start again; then label the others late."""
    with closing(cluster.log()) as log:
        fill(log, dim, count)
        (learner,) = cluster.start("learner", settings={"OMP_NUM_THREADS": "1"})
        all_ready([learner])
        began = time.perf_counter()
        outputs(log, count)
        print(f"{dim} features: {count:,} examples folded in {time.perf_counter() - began:.1f} s", flush=True)
        assert learner.terminate() == 0, learner.output
        print(f"{dim} features: restart with a full window {restart(learner, dim):.2f} s", flush=True)
        for order, ids in late(count, labels).items():
            took = label(log, ids)
            print(f"{dim} features: {len(ids):,} late labels, {order}: {len(ids) / took:,.0f}/s", flush=True)


def fill(log: Log, dim: int, count: int) -> None:
    generator = np.random.default_rng(0)
    means = generator.normal(size=(len(LABELS), dim)).astype(np.float32)
    for begin in range(0, count, BATCH):
        messages = []
        for number in range(begin, min(begin + BATCH, count)):
            x = means[number % len(LABELS)] + generator.normal(size=dim).astype(np.float32)
            known = LABELS[number % len(LABELS)] if number % 2 else None
            image = Image(f"i{number}", "bench", known, 1e9 + number, b"", Position(0, 0))
            messages.append(encode_features(image, x, "bench", source="bench"))
        log.append(messages)


def restart(learner: Service, dim: int) -> float:
    """Seconds from the start of the process to its first answer from the restored state."""
    learner.kill()
    query = {"stream": "bench", "features": [0.5] * dim}

    def answers() -> bool:
        try:
            return httpx.post(f"{learner.url}/predict", json=query, timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def work() -> None:
        learner.start()
        wait_until(answers, 120, "the restored state")

    return seconds(work)


def late(count: int, labels: int) -> Mapping[str, Sequence[int]]:
    unlabelled = range(0, count, 2)
    batch = min(labels, len(unlabelled) // 3)
    return {
        "in order": unlabelled[:batch],
        "in any order": random.Random(0).sample(unlabelled[batch:], batch),
    }


def label(log: Log, ids: Sequence[int]) -> float:
    """Seconds until the learner has processed all of these labels."""
    before = ends(log, PREDICTIONS)
    messages = [
        encode_label("bench", f"i{n}", LABELS[n % len(LABELS)], by="b", time=2e9, event_id=f"l{n}", source="bench")
        for n in ids
    ]

    def work() -> None:
        log.append(messages)
        outputs(log, before + len(ids))

    return seconds(work)


# Extractors.


def measure_extractors(cluster: Cluster, count: int, rounds: int) -> None:
    """From images in the log to features in the log, with one extractor and with two; one inference thread each."""
    files, one_thread = digits(), {"PREQUEL_THREADS": "1", "PREQUEL_DECODE_THREADS": "1"}
    rates: dict[int, list[float]] = {1: [], 2: []}
    with closing(cluster.log()) as log:
        for number in range(rounds):
            for extractors in (1, 2):
                cluster.reset()
                all_ready(cluster.start("extractor", extractors, settings=one_thread))
                extract(log, files, 64 * extractors, "warm")
                rates[extractors].append(count / extract(log, files, count, f"round-{number}"))
                cluster.end_services()
    for extractors, measured in rates.items():
        print(f"{extractors} extractors: {statistics.median(measured):,.0f} images/s", flush=True)


def extract(log: KafkaLog, files: Sequence[bytes], count: int, prefix: str) -> float:
    """Seconds from the last image's append to the last features' arrival."""
    before = ends(log, EXAMPLES)
    messages: list[Message] = [
        encode_image(f"{prefix}-{n}", "bench", files[n % len(files)], label=None, time=1e9, source="bench",
                     content_type="image/png")
        for n in range(count)
    ]  # fmt: skip

    def work() -> None:
        log.append(messages)
        wait_until(lambda: ends(log, EXAMPLES) >= before + count, 300, f"{count} features")

    return seconds(work)


# Parts.


def outputs(log: Log, count: int) -> None:
    wait_until(lambda: ends(log, PREDICTIONS) >= count, 600, f"{count} predictions and outcomes")


def ends(log: Log, topic: str) -> int:
    return sum(bounds.end for bounds in log.bounds(topic).values())


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
