"""Claim: 1,000 streams on 4 partitions work: snapshots, SIGTERM within 10 s, takeover within 15 s, cheap statuses.

``python -m benchmarks.many_streams [--streams N] [--events N] [--dim N]``: real Kafka and Redis, one learner with the
default models and settings that is then ended, killed and taken over from.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np

from benchmarks.cluster import PLAIN, outputs, seconds
from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.models import registry
from prequel.services.learner.publishing.stream_status import stream_status
from prequel.shared.config import Settings
from prequel.shared.events.features import encode_features
from prequel.shared.events.types import Image
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, Log, Message, Position, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.status import PARTITION_PREFIX
from tests.servers.ports import wait_until
from tests.system.cluster import Cluster, Service, all_ready

DEFAULTS = PLAIN | {"PREQUEL_KAFKA_SESSION": "10"}
BATCH = 64
CLASSES = 3
GENERATED = 1_000
"""Classes in the stream whose status is measured: the maximum of PREQUEL_MAX_LABELS's default."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=3, help="of each stream, labelled")
    parser.add_argument("--dim", type=int, default=1_280)
    options = parser.parse_args()
    measure_status()
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder), DEFAULTS) as cluster:
        cluster.reset()
        with closing(cluster.log()) as log:
            measure_streams(cluster, log, streams=options.streams, events=options.events, dim=options.dim)


def measure_status() -> None:
    """Processor time of the status of one stream with 1,000 classes, which changes constantly."""
    random, settings = np.random.default_rng(0), Settings.model_validate({"models": "ncm,l2|ncm"})
    fold = Fold(fold_config(settings), registry, FeatureCache(SqliteLog(Path("unused")), 10, 2**20), position=0)
    for offset in range(20 * GENERATED):
        message = _example("s", offset, f"class {random.integers(GENERATED)}", random.normal(size=8))
        fold.apply([Record(EXAMPLES, 0, offset, message.key, message.value, message.headers, 0.0)])
    began = time.process_time()
    for _ in range(20):
        status = stream_status(fold.streams["s"], Position(0, 1), now=0, snapshot=None, address=None)
        size = len(status.model_dump_json().encode())
    spent = (time.process_time() - began) / 20
    print(f"status of {GENERATED:,} classes: {spent * 1e3:.1f} ms of processor time, {size / 1e3:.0f} KB", flush=True)


def measure_streams(cluster: Cluster, log: Log, *, streams: int, events: int, dim: int) -> None:
    messages = _messages(streams, events, dim)
    (learner,) = cluster.start("learner")
    all_ready([learner])
    sent = 0

    def send(times: int) -> None:
        nonlocal sent
        for _ in range(times):
            for at in range(0, streams, BATCH):
                log.append([next(messages) for _ in range(min(BATCH, streams - at))])
        sent += times * streams
        outputs(log, sent - dead(log))

    def dead(log: Log) -> int:
        return sum(bounds.end - bounds.begin for bounds in log.bounds(DEAD_LETTERS).values())

    took = seconds(lambda: send(events))
    print(f"{streams:,} streams, {sent:,} events: {took:.1f} s; {dead(log)} dead letters", flush=True)
    wait_until(lambda: _snapshots(learner)[0] >= 1, 60, "a snapshot")
    _report(cluster, learner)
    send(1)
    took = seconds(lambda: _exit(learner))
    print(f"SIGTERM after an event of each stream: {took:.1f} s", flush=True)
    took = seconds(lambda: _started(learner, streams, dim))
    print(f"start until every partition answers: {took:.1f} s", flush=True)
    send(1)
    (heir,) = cluster.start("learner")
    wait_until(lambda: heir.reasons() == {} and _owned(heir) > 0, 120, "a share of the partitions")
    learner.kill()
    took = seconds(lambda: _answers(heir, streams, dim))
    print(f"kill -9 of one of two learners until the other answers for every partition: {took:.1f} s", flush=True)
    _report(cluster, heir)


def _messages(streams: int, events: int, dim: int) -> Iterator[Message]:
    """One example of every stream, round after round."""
    random, number = np.random.default_rng(0), 0
    centres = random.normal(size=(CLASSES, dim))
    while True:
        kind = number // streams % CLASSES
        x = centres[kind] + random.normal(size=dim)
        yield _example(f"stream-{number % streams}", number, f"class {kind}", x)
        number += 1


def _example(stream: str, number: int, label: str, x: "np.typing.NDArray[np.float64]") -> Message:
    image = Image(f"i{number}", stream, label, 1e9 + number, b"", Position(0, 0))
    return encode_features(image, x.astype(np.float32), "bench", source="bench")


def _exit(learner: Service) -> None:
    assert learner.terminate() == 0, learner.output


def _started(learner: Service, streams: int, dim: int) -> None:
    learner.start()
    _answers(learner, streams, dim)


def _answers(learner: Service, streams: int, dim: int) -> None:
    """Wait until the learner answers for streams of every partition: fifty of them are of all four."""
    with httpx.Client(base_url=learner.url, timeout=10) as http:  # to make one takes as long as many answers
        for number in range(min(streams, 50)):
            query = {"stream": f"stream-{number}", "features": [0.5] * dim}
            wait_until(_ok(http, query), 120, f"the answer of stream-{number}")


def _ok(http: httpx.Client, query: Mapping[str, object]) -> Callable[[], bool]:
    def ok() -> bool:
        try:
            return http.post("/predict", json=query).status_code == 200
        except httpx.TransportError:
            return False

    return ok


def _report(cluster: Cluster, learner: Service) -> None:
    count, spent = _snapshots(learner)
    with cluster.redis.client() as client:
        used = client.info("memory")["used_memory"]
    with closing(cluster.store()) as store:
        partitions = len(store.keys(PARTITION_PREFIX))
    each = spent / count if count else 0.0
    print(
        f"  {count:.0f} snapshots of {partitions} partitions, {each:.2f} s each; Redis uses {used / 1e6:.0f} MB",
        flush=True,
    )


def _owned(learner: Service) -> int:
    """The number of partitions that the learner has."""
    return len(re.findall(r"^prequel_log_lag\{", httpx.get(f"{learner.url}/metrics", timeout=30).text, re.MULTILINE))


def _snapshots(learner: Service) -> tuple[float, float]:
    """The number of snapshots, and the seconds of all of them."""
    text = httpx.get(f"{learner.url}/metrics", timeout=30).text
    metrics = dict(re.findall(r"^prequel_snapshot_seconds_(count|sum) (\S+)$", text, re.MULTILINE))
    return float(metrics["count"]), float(metrics["sum"])


if __name__ == "__main__":
    main()
