"""Measures how much a catch-up in a process of its own slows the live fold down, and its longest stop."""

import argparse
import tempfile
import time
import uuid
from contextlib import closing
from statistics import median

from prometheus_client import CollectorRegistry
from rich.console import Console

from benchmarks.fold import features
from prequel.services.cli.composition import job_workers
from prequel.services.learner.learner import Learner
from prequel.services.learner.models import registry
from prequel.shared.config import Settings
from prequel.shared.events.commands import encode_command
from prequel.shared.events.features import encode_features
from prequel.shared.events.types import Image
from prequel.shared.log.base import EXAMPLES, PREDICTIONS, Log, Message, Position
from prequel.shared.runtime.backends import open_log, open_store
from prequel.shared.runtime.metrics import Metrics

BATCH = 512
PAST, LIVE = "past", "live"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--past", type=int, default=30_000, help="events of the stream that catches up")
    parser.add_argument("--live", type=int, default=60_000, help="events of the stream that is folded meanwhile")
    parser.add_argument("--models", default="slda,logistic")
    parser.add_argument("--runs", type=int, default=2)
    arguments = parser.parse_args()
    alone, beside = [], []
    for _ in range(arguments.runs):  # In turns, since machines are noisy.
        alone.append(_run(arguments, catch_up=False))
        beside.append(_run(arguments, catch_up=True))
    rates = median(rate for rate, _ in alone), median(rate for rate, _ in beside)
    stop = max(seconds for _, seconds in beside)
    Console().print(
        f"live fold {rates[0]:,.0f} events/s alone, {rates[1]:,.0f} beside a catch-up ({rates[1] / rates[0]:.0%}); "
        f"longest batch {stop * 1000:.0f} ms, {max(seconds for _, seconds in alone) * 1000:.0f} ms alone"
    )


def _run(arguments: argparse.Namespace, *, catch_up: bool) -> tuple[float, float]:
    """Events per second of the live stream while the other one catches up, and the seconds of the longest batch."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_validate(
            {"log": f"sqlite:///{folder}", "store": f"sqlite:///{folder}/store.db", "models": arguments.models}
        )
        with closing(open_log(settings)) as log, closing(open_store(settings)) as store:
            learner = Learner(
                settings,
                log=log,
                store=store,
                registry=registry,
                metrics=Metrics(CollectorRegistry()),
                clock=time.time,
                owner=uuid.uuid4().hex,
                workers=job_workers(settings),
            )
            with closing(learner):
                return _measure(learner, log, arguments, catch_up=catch_up)


def _measure(learner: Learner, log: Log, arguments: argparse.Namespace, *, catch_up: bool) -> tuple[float, float]:
    position = learner.restore(0, 1)
    _append(log, PAST, arguments.past)
    position, _, _ = _fold(learner, log, position)
    if catch_up:
        log.append([_command("models.rebuild")])
    _append(log, LIVE, arguments.live)
    position, rate, longest = _fold(learner, log, position)
    while catch_up and not _handed_over(log):
        position, _, stop = _fold(learner, log, position)
        longest = max(longest, stop)
    return rate, longest


def _fold(learner: Learner, log: Log, position: int) -> tuple[int, float, float]:
    """Fold what the log has; the new position, records per second, and the seconds of the longest batch."""
    end, longest, began, first = log.bounds(EXAMPLES)[0].end, 0.0, time.perf_counter(), position
    with closing(log.follow(EXAMPLES, {0: position})) as reader:
        while True:
            started = time.perf_counter()
            processed = learner.process(reader.poll(BATCH, 0.1))
            log.append(list(processed.messages))
            position = reader.positions()[0]
            longest = max(longest, time.perf_counter() - started)
            if position >= end:
                return position, (position - first) / (time.perf_counter() - began), longest


def _handed_over(log: Log) -> bool:
    """Whether the last output is that of a hand-over: nothing else is folded then."""
    end = log.bounds(PREDICTIONS)[0].end
    (record,) = log.read(PREDICTIONS, 0, [end - 1]).values()
    return b"stream.catch-up" in record.value


def _append(log: Log, stream: str, events: int) -> None:
    for at, (vector, label) in enumerate(zip(*features(None, events), strict=True)):
        if at % BATCH == 0:
            messages = []
        image = Image(f"image-{at}", stream, label, 1.7e9 + at, b"", Position(0, at))
        messages.append(encode_features(image, vector, "bench-avg-224-00000000", source="prequel/bench"))
        if len(messages) == BATCH or at == events - 1:
            log.append(messages)


def _command(do: str) -> Message:
    return encode_command(PAST, uuid.uuid4().hex, do, arguments={}, by="bench", time=1.7e9, source="prequel/bench")


if __name__ == "__main__":
    main()
