"""The extractor over the embedded log with the shipped backbone: nothing is lost, whenever it stops."""

import collections
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.extractor import ExtractorProcessor, create, unencrypted
from prequel.services.extractor.loading import load
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.images import encode_image
from prequel.shared.events.types import Features
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, Log, LogUnavailable, Message, Position, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.deadlines import METRIC_BACKOFF
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed
from prequel.shared.runtime.retry import Attempts
from prequel.shared.runtime.runner import Runner
from prequel.shared.runtime.session import Session
from tests.extractor.feeding import CHOICE, PICTURES, AllDefault, Clock, MeanColour, loaded_pool
from tests.extractor.networks import ENVIRON, settings
from tests.extractor.pictures import encoded, photograph

COUNT, BAD, GROUP = 30, (7, 20), "prequel-extractor"


def fill(log: Log, pictures: Sequence[bytes]) -> None:
    """``COUNT`` images of two streams, all over the partitions; those in ``BAD`` are no images."""
    log.append(
        [
            encode_image(
                f"image-{number}",
                "ab"[number % 2],
                b"no image" if number in BAD else pictures[number % len(pictures)],
                label=None,
                time=1_700_000_000.0 + number,
                source="test",
                content_type="image/png",
            )
            for number in range(COUNT)
        ]
    )


def features(log: Log) -> list[Features]:
    found = []
    for partition, (begin, end) in log.bounds(EXAMPLES).items():
        for record in log.read(EXAMPLES, partition, range(begin, end)).values():
            event = decode_example(record)
            assert isinstance(event, Features)
            found.append(event)
    return found


def rejected(log: Log) -> list[str]:
    found = []
    for partition, (begin, end) in log.bounds(DEAD_LETTERS).items():
        found += [
            dict(r.headers)["ce_id"].decode() for r in log.read(DEAD_LETTERS, partition, range(begin, end)).values()
        ]
    return found


WANTED = {f"image-{number}" for number in range(COUNT) if number not in BAD}
UNWANTED = {f"image-{number}" for number in BAD}


def test_images_in_features_out(tmp_path: Path) -> None:
    """The whole of it, as `prequel extractor` runs it: SQLite, the runner and its threads, `compact` on OpenVINO."""
    log = SqliteLog(tmp_path / "log", partitions=2)
    pictures = [encoded(photograph(90, 70, seed), "JPEG") for seed in range(5)]
    fill(log, pictures)
    chosen = settings(batch=8, precision="float32")
    metrics, stop = Metrics(CollectorRegistry()), threading.Event()
    processor = create(
        chosen,
        AllDefault(),
        cache=tmp_path / "cache",
        environ=ENVIRON,
        metrics=metrics,
        decrypt=unencrypted,
        stop=stop,
    )
    runner = Runner(
        log,
        processor,
        group=GROUP,
        clock=Clock(),
        metrics=metrics,
        health=Health(),
        checkpoint_seconds=60,
        checkpoint_events=1,
    )
    thread = threading.Thread(target=runner.run, args=(stop,))
    thread.start()
    reader = log.follow(EXAMPLES, dict.fromkeys(range(log.partitions(EXAMPLES)), 0))
    seen = 0
    while seen < len(WANTED):
        assert thread.is_alive()
        seen += len(reader.poll(100, 5.0))
    stop.set()
    thread.join()
    reader.close()
    processor.close()
    events = {event.id: event for event in features(log)}
    assert set(events) == WANTED
    assert set(rejected(log)) == UNWANTED
    assert sum(log.lag(GROUP, IMAGES).values()) == 0
    alone = load(chosen, tmp_path / "cache", ENVIRON)
    decoder = Decoder(max_pixels=100_000, max_bytes=100_000, threads=1)
    for id, event in events.items():
        number = int(id.removeprefix("image-"))
        expected = alone.extract(decoder.decode(pictures[number % 5], 32)[np.newaxis])[0]
        assert np.abs(event.vector - expected).max() < 1e-4
        assert event.backbone == alone.id
        assert event.stream == "ab"[number % 2]
    log.close()


class Faults:
    """Counts the operations of a run and lets one of them fail, before or after it has happened."""

    def __init__(self, at: int, after: bool) -> None:
        self.at, self.after, self.seen = at, after, 0

    def around(self, operation: Callable[[], object]) -> object:
        mine = self.seen == self.at
        self.seen += 1
        if mine and not self.after:
            raise LogUnavailable("cut here, before")
        outcome = operation()
        if mine:
            raise LogUnavailable("cut here, after")
        return outcome


class FaultyLog(SqliteLog):
    """The embedded log, each append of which is an operation that may fail."""

    faults: Faults

    def append(self, messages: Sequence[Message]) -> list[Position]:
        if messages[0].topic == IMAGES:
            return super().append(messages)
        outcome = self.faults.around(lambda: super(FaultyLog, self).append(messages))
        assert isinstance(outcome, list)
        return outcome


class FaultyProcessor(ExtractorProcessor):
    """The extractor, each batch and each checkpoint of which is an operation that may fail."""

    faults: Faults

    def process(self, records: Sequence[Record]) -> Processed:
        outcome = self.faults.around(lambda: super(FaultyProcessor, self).process(records))
        assert isinstance(outcome, Processed)
        return outcome

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        self.faults.around(lambda: None)


def run_with_fault(folder: Path, at: int, after: bool) -> tuple[SqliteLog, Faults]:
    """Run to the end of the images, with a restart of the extractor where the fault strikes."""
    faults = Faults(at, after)
    log = FaultyLog(folder, partitions=2)
    log.faults = faults
    fill(log, PICTURES)
    while sum(log.lag(GROUP, IMAGES).values()):
        with contextlib.suppress(LogUnavailable):
            life(log, faults)
    return log, faults


def life(log: FaultyLog, faults: Faults) -> None:
    """Run the extractor until everything is committed, or until LogUnavailable ends it."""
    clock, metrics, backbone = Clock(), Metrics(CollectorRegistry()), MeanColour()
    decoder = Decoder(max_pixels=100_000, max_bytes=100_000, threads=1)
    streams, choose = AllDefault(), lambda spec: CHOICE
    processor = FaultyProcessor(
        loaded_pool(backbone), streams, decoder, choose=choose, batch=4, batch_wait=0.0, metrics=metrics, clock=clock
    )
    processor.faults = faults
    member = log.join(GROUP, IMAGES)
    measuring = Attempts("metrics", Health(), METRIC_BACKOFF)
    with ThreadPoolExecutor(1) as executor:
        session = Session(
            log,
            processor,
            member,
            executor,
            group=GROUP,
            metrics=metrics,
            clock=clock,
            shown=set(),
            measuring=measuring,
        )
        try:
            while sum(log.lag(GROUP, IMAGES).values()):
                session.turn()
                if session.checkpoint_due(60, 8):
                    session.checkpoint()
                if processor.poll_timeout() > 0:
                    session.finish()
        finally:
            session.discard()
            member.close()
    processor.close()


def test_a_crash_at_any_operation_loses_no_image(tmp_path: Path) -> None:
    log, faults = run_with_fault(tmp_path / "whole", -1, False)
    clean = sorted((event.id, event.vector.tobytes()) for event in features(log))
    log.close()
    assert [id for id, _ in clean] == sorted(WANTED)
    assert faults.seen > 20
    duplicated = 0
    for at in range(faults.seen):
        for after in (False, True):
            log, _ = run_with_fault(tmp_path / f"{at}-{after}", at, after)
            events = features(log)
            assert {event.id for event in events} == WANTED, (at, after)
            assert set(rejected(log)) == UNWANTED, (at, after)
            assert {(event.id, event.vector.tobytes()) for event in events} == set(clean), "a duplicate differs"
            duplicated += len(events) > len(WANTED)
            assert max(collections.Counter(event.id for event in events).values()) <= 2
            log.close()
    assert duplicated, "no crash came between publishing and committing: this test has lost its point"
