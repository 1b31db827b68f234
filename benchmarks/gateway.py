"""Claim: the gateway adds a few milliseconds to an image, shares appends, and is ready in less than two seconds.

``python -m benchmarks.gateway [--requests N] [--predictions N]``: a real gateway on a real socket over the embedded
log. The learner is a thread that answers each image at once, so that what is measured is HTTP, log and waking.
"""

import argparse
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry

from prequel.services.gateway import app
from prequel.services.gateway.assembly import Dependencies
from prequel.services.gateway.http import serving
from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models import registry
from prequel.services.learner.publishing.stream_status import stream_status
from prequel.shared import status
from prequel.shared.config import Settings
from prequel.shared.events.images import decode_image
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Outcome, Prediction
from prequel.shared.log.base import IMAGES, Log, Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.sqlite import SqliteStore

LABELS = [f"class {number}" for number in range(10)]
IMAGE = b"\xff\xd8\xff" + bytes(8_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--predictions", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log, store = SqliteLog(Path(folder) / "log"), SqliteStore(Path(folder) / "store.sqlite")
        publish(store)
        with serving_on(log, store) as client, answering(log):
            measure_requests(client, log, options.requests)
        for outcomes in (False, True):
            log = SqliteLog(Path(folder) / f"log-{outcomes}")
            fill(log, options.predictions, outcomes)
            measure_start(log, store, options.predictions, outcomes)


def publish(store: SqliteStore) -> None:
    """Store a status of the stream, as a learner does: without one the gateway would look for it at every image."""
    state = StreamState("bench", fold_config(Settings.model_validate({})), registry)
    published = stream_status(state, Position(0, 0), now=time.time(), snapshot=None, address=None)
    store.put(status.key("bench"), published.model_dump_json().encode())


def measure_requests(client: httpx.Client, log: Log, count: int) -> None:
    """Images whose predictions one client waits for; then images that are only accepted, of one to 32 clients."""

    def send(wait: float) -> float:
        began = time.perf_counter()
        answer = client.post(
            "/v1/streams/bench/images", params={"wait": wait}, content=IMAGE, headers={"Content-Type": "image/jpeg"}
        )
        answer.raise_for_status()
        return time.perf_counter() - began

    began = time.perf_counter()
    bare = sorted(_timed(lambda: client.get("/healthz")) for _ in range(count))
    print(f"GET /healthz, one client: {_milliseconds(bare)}")
    print(f"image in, prediction out, one client: {_milliseconds(sorted(send(10) for _ in range(count)))}")
    for clients in (1, 8, 32):
        with ThreadPoolExecutor(clients) as threads:
            before, began = log.bounds(IMAGES)[0].end, time.perf_counter()
            list(threads.map(lambda _: send(0), range(count)))
            rate = (log.bounds(IMAGES)[0].end - before) / (time.perf_counter() - began)
        print(f"images accepted, {clients} clients at once: {rate:,.0f}/s")


def measure_start(log: Log, store: SqliteStore, count: int, outcomes: bool) -> None:
    """Seconds until a new gateway is ready, and those of the gallery's two orders over a full view."""
    began, burnt = time.perf_counter(), time.process_time()
    with serving_on(log, store) as client:
        seconds, cpu = time.perf_counter() - began, time.process_time() - burnt
        what = f"{count:,} predictions" + (" and as many outcomes" if outcomes else "")
        print(f"ready over {what}: {seconds:.2f} s ({cpu:.2f} s of CPU)")
        for sort in ("recent", "uncertain"):
            path = f"/v1/streams/bench/predictions?sort={sort}"
            took = sorted(_timed(lambda path=path: client.get(path)) for _ in range(50))  # type: ignore[misc]
            print(f"gallery, {sort}: {_milliseconds(took)}")


def fill(log: Log, count: int, outcomes: bool) -> None:
    for start in range(0, count, 1_000):
        messages: list[Message] = []
        for number in range(start, start + 1_000):
            messages.append(encode_prediction(prediction(uuid.uuid4().hex, Position(0, 2 * number)), source="bench"))
            if outcomes:
                messages.append(encode_outcome(outcome(number), source="bench"))
        log.append(messages)


def prediction(id: str, position: Position) -> Prediction:
    share = 1 / (2 + position.offset % 97)
    shares = dict.fromkeys(LABELS[1:], share / 9) | {LABELS[0]: 1 - share}
    models: dict[str, str | None] = {"slda": LABELS[0], "logistic": LABELS[1]}
    return Prediction(id, "bench", position, "slda", LABELS[0], shares, models, None, position, time.time())


def outcome(number: int) -> Outcome:
    place = Position(0, 2 * number + 1)
    return Outcome(f"n{number}", "bench", place, "learned", LABELS[0], None, LABELS[0], True, time.time())


@contextmanager
def serving_on(log: Log, store: SqliteStore) -> Iterator[httpx.Client]:
    """A client of a gateway that is ready."""
    stop, listener = threading.Event(), serving.listen("127.0.0.1", 0)
    application = app.create(
        Dependencies(
            settings=Settings.model_validate({}),
            log=log,
            store=store,
            queries=None,
            metrics=Metrics(CollectorRegistry()),
            health=Health(),
            clock=time.time,
            new_id=lambda: uuid.uuid4().hex,
        )
    )
    thread = threading.Thread(target=serving.serve, args=(application, listener, stop))
    thread.start()
    pool = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=30, limits=pool) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.01)
        yield client
    stop.set()
    thread.join()


@contextmanager
def answering(log: Log) -> Iterator[None]:
    """Answers every image with a prediction, as fast as the log allows."""
    stop = threading.Event()

    def follow() -> None:
        reader = log.follow(IMAGES, dict.fromkeys(log.bounds(IMAGES), 0))
        while not stop.is_set():
            images = [decode_image(record) for record in reader.poll(500, 0.05)]
            if images:
                log.append([encode_prediction(prediction(each.id, each.position), source="bench") for each in images])

    thread = threading.Thread(target=follow)
    thread.start()
    yield
    stop.set()
    thread.join()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _milliseconds(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.1f} ms (p50), {seconds[int(len(seconds) * 0.95)] * 1e3:.1f} ms (p95)"


if __name__ == "__main__":
    main()
