"""Measures the queue of what to label next, the nearest labelled examples, and what both cost the live fold."""

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from rich.console import Console

from benchmarks.fold import BATCH, features, unread_log
from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.models import registry
from prequel.services.learner.queries import StreamQueries
from prequel.shared.config import Settings
from prequel.shared.events.features import encode_features
from prequel.shared.events.types import Image
from prequel.shared.log.base import EXAMPLES, Position, Record
from prequel.shared.model_specs import split_outside
from prequel.shared.opinions import QueueRequest
from prequel.shared.vectors import Vector

STREAM = "bench"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", help="an .npz with `features` [n, dim] and `labels` [n]; else drawn at random")
    parser.add_argument("--examples", type=int, default=20_000, help="unlabelled ones, or labelled ones for suspects")
    parser.add_argument("--labelled", type=int, default=3_000, help="examples that the models have learned before")
    parser.add_argument("--models", default="mix,logistic")
    parser.add_argument("--live", type=float, default=0.0, help="seconds of the live fold with a query each second")
    arguments = parser.parse_args()
    for spec in split_outside(arguments.models, ","):
        registry.compile(spec, 8)
    xs, labels = features(arguments.features, arguments.labelled + arguments.examples)
    xs, labels = _as_many(xs, arguments.labelled + arguments.examples), labels * 10
    console = Console()
    for by in ("uncertain", "disagreement", "random"):
        bench = Bench(arguments.models, xs, labels, labelled=arguments.labelled)
        _show(console, by, bench, partial(bench.queries.queue, STREAM, QueueRequest.model_validate({"by": by})))
    bench = Bench(arguments.models, xs, labels, labelled=len(xs))
    _show(console, "suspect", bench, lambda: bench.queries.queue(STREAM, QueueRequest(by="suspect")))
    _show(console, "similar", bench, lambda: bench.queries.similar(STREAM, "image-7", 20))
    if arguments.live:
        _live(console, bench, xs, labels, arguments.live)


class Bench:
    """A fold of ``xs``, of which the first ``labelled`` have labels, and its queries."""

    def __init__(self, models: str, xs: Vector, labels: Sequence[str], *, labelled: int) -> None:
        settings = Settings.model_validate({"models": models, "window": 2 * len(xs)})
        self.cache = FeatureCache(unread_log(), 2 * len(xs), 2**31)
        self.cache.begins = lambda: {0: 0}  # type: ignore[method-assign]  # there is no log
        self.fold = Fold(fold_config(settings), registry, self.cache, position=0)
        self.lock, self._next, self.dim = threading.Lock(), 0, xs.shape[1]
        self.feed(xs, [label if number < labelled else None for number, label in enumerate(labels)])
        partition = SimpleNamespace(fold=self.fold, position=Position(0, self._next))
        self.queries = StreamQueries(cast(Any, {0: partition}), self.lock)

    def records(self, xs: Vector, labels: Sequence[str | None]) -> list[Record]:
        records = []
        for vector, label in zip(xs, labels, strict=False):
            offset, self._next = self._next, self._next + 1
            image = Image(f"image-{offset}", STREAM, label, 1.7e9 + offset, b"", Position(0, offset))
            message = encode_features(image, vector, "bench-avg-224-00000000", source="prequel/bench")
            records.append(Record(EXAMPLES, 0, offset, message.key, message.value, message.headers, 1.7e9))
        return records

    def feed(self, xs: Vector, labels: Sequence[str | None]) -> None:
        records = self.records(xs, labels)
        for begin in range(0, len(records), BATCH):
            with self.lock:
                self.fold.apply(records[begin : begin + BATCH])


def _as_many(xs: Vector, count: int) -> Vector:
    """So many rows: those that there are, and again with a little noise."""
    random, parts = np.random.default_rng(0), [xs]
    while sum(map(len, parts)) < count:
        parts.append((xs + 0.3 * xs.std() * random.normal(size=xs.shape)).astype(np.float32))
    return np.concatenate(parts)[:count]


def _show(console: Console, name: str, bench: Bench, query: Callable[[], Any]) -> None:
    """How long a query takes after a label, and how long the next one, for which all is remembered."""
    asked, again = [], []
    for turn in range(4):
        bench.feed(np.full((1, bench.dim), 0.1 * turn, np.float32), ["0"])
        before = bench.fold.digest()
        taken, answer = _milliseconds(query)
        asked.append(taken)
        again.append(_milliseconds(query)[0])
        assert bench.fold.digest() == before, "a query has changed the state"
    console.print(
        f"{name}: {min(asked[1:]):.0f} ms of processor time after a label, again {min(again):.0f} ms; "
        f"{answer.asked:,} examples asked, {answer.not_asked:,} not; {len(answer.examples)} shown"
    )


def _milliseconds(query: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.thread_time()
    answer = query()
    return 1e3 * (time.thread_time() - begun), answer


def _live(console: Console, bench: Bench, xs: Vector, labels: Sequence[str], seconds: float) -> None:
    """The speed of the fold with and without a query a second, in turns."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(4):
        stop = threading.Event()
        asking = threading.Thread(target=_ask, args=(bench, stop)) if turn % 2 else None
        if asking:
            asking.start()
        folded, begun, rows = 0, time.monotonic(), bench.records(xs[:BATCH], labels)
        while time.monotonic() - begun < seconds:
            with bench.lock:
                bench.fold.apply(rows)
            folded += len(rows)
            rows = bench.records(xs[folded % len(xs) :][:BATCH], labels)
        rates[bool(asking)].append(folded / (time.monotonic() - begun))
        stop.set()
        if asking:
            asking.join()
    alone, asked = (sum(rates[with_queries]) / 2 for with_queries in (False, True))
    console.print(f"live: {alone:,.0f} events/s alone, {asked:,.0f} with a query a second: {asked / alone:.0%}")


def _ask(bench: Bench, stop: threading.Event) -> None:
    while not stop.wait(1.0):
        bench.queries.queue(STREAM, QueueRequest(by="uncertain"))


if __name__ == "__main__":
    main()
