"""Records for the extractor's tests, a clock that they set, and a backbone whose features are easy to compute."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from prometheus_client import CollectorRegistry

from prequel.services.extractor.backbone_pool import THREADS, BackbonePool
from prequel.services.extractor.backbones.base import Backbone, BackboneConfig, Choice, Images, OutOfMemory, Vectors
from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.extractor import MAX_STREAMS, Decrypt, ExtractorProcessor, unencrypted
from prequel.shared.events.images import encode_image
from prequel.shared.log.base import IMAGES, Headers, Record
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed
from tests.extractor.pictures import encoded, photograph

BATCH = 4
WAIT = 0.004


class MeanColour:
    """A backbone of three values, the mean colour; it remembers its batch sizes, and may lack memory for large ones."""

    id, dim, size, precision = "mean-avg-8-00000000", 3, 8, "float32"

    def __init__(self, fits: int = 1_000) -> None:
        self.fits = fits
        self.batches: list[int] = []

    def extract(self, images: Images) -> Vectors:
        self.batches.append(len(images))
        if len(images) > self.fits:
            raise OutOfMemory(f"{len(images)} images")
        vectors: Vectors = images.reshape(len(images), -1, 3).mean(axis=1, dtype=np.float32)
        return vectors


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


CHOICE = Choice(BackboneConfig("mean", "avg", MeanColour.size, "none"))
"""Stands for the backbone of the settings."""


class AllDefault:
    """StreamSpecs of streams that all have the default."""

    def of(self, streams: Iterable[str]) -> Mapping[str, str]:
        return dict.fromkeys(streams, "")


def loaded_pool(backbone: Backbone, batch: int = BATCH) -> BackbonePool:
    """A pool that has this backbone, whatever was chosen."""
    pool = BackbonePool(lambda choice: backbone, max_loaded=1, batch=batch)
    pool.wait(CHOICE)
    return pool


class Bench:
    """An extractor with a clock and a backbone of the test's, and its metrics."""

    def __init__(
        self,
        backbone: MeanColour | None = None,
        batch: int = BATCH,
        max_streams: int = MAX_STREAMS,
        decrypt: Decrypt = unencrypted,
        batch_wait: float = WAIT,
    ) -> None:
        self.backbone = backbone or MeanColour()
        self.clock, self.metrics = Clock(), Metrics(CollectorRegistry())
        self.decoder = Decoder(max_pixels=10_000, max_bytes=100_000, threads=2)
        self.processor = ExtractorProcessor(
            loaded_pool(self.backbone, batch),
            AllDefault(),
            self.decoder,
            choose=lambda spec: CHOICE,
            batch=batch,
            batch_wait=batch_wait,
            metrics=self.metrics,
            decrypt=decrypt,
            max_streams=max_streams,
            clock=self.clock,
        )

    def finish(self) -> Processed:
        """Let the time of a partial batch pass, and return what is finished then."""
        self.clock.now += 2 * WAIT
        parts = []
        while self.processor.poll_timeout() == 0:
            parts.append(self.processor.process(()))
        positions: dict[int, int] = {}
        for part in parts:
            positions |= part.positions
        messages = [message for part in parts for message in part.messages]
        return Processed(messages, [pair for part in parts for pair in part.rejected], positions)

    def metric(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(f"prequel_{name}", labels)
        return 0.0 if value is None else value


PICTURES = [encoded(photograph(20, 16, seed), "PNG") for seed in range(8)]


def record(offset: int, value: bytes | None = None, partition: int = 0, extra: Headers = (), **given: str) -> Record:
    """An image event at a position of the log; its id is ``p:o`` unless given."""
    message = encode_image(
        given.get("id", f"{partition}:{offset}"),
        given.get("stream", "pets"),
        PICTURES[offset % len(PICTURES)] if value is None else value,
        label=given.get("label"),
        time=1_700_000_000.0 + offset,
        source="test",
        content_type="image/png",
    )
    return Record(IMAGES, partition, offset, message.key, message.value, (*message.headers, *extra), 1_800_000_000.0)


def records(offsets: Sequence[int], partition: int = 0) -> list[Record]:
    return [record(offset, partition=partition) for offset in offsets]


def settle(pool: BackbonePool) -> None:
    """Wait for the loads that have begun, and for what they unload: the thread that has loaded one holds it longer."""
    pool._threads.shutdown(wait=True)
    pool._threads = ThreadPoolExecutor(THREADS)
