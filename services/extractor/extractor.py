"""The extractor: a processor that turns image events into feature events, decoding while it infers."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

import numpy as np

from prequel.services.extractor.backbones.base import Backbone, Vectors
from prequel.services.extractor.decoding import Decoded, Decoder
from prequel.services.extractor.inference import BatchInference
from prequel.services.extractor.loading import load
from prequel.services.extractor.on_demand import OnDemandExtraction, SynchronizedBackbone
from prequel.shared.config import Settings
from prequel.shared.events.attributes import canonical
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Image, Rejected
from prequel.shared.log.base import IMAGES, Headers, Message, Record
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed

SOURCE = "prequel/extractor"

MAX_STREAMS, OTHER_STREAMS = 10_000, "(others)"
"""Streams with a metric of their own; all others share one. On Kafka anyone can invent names, and each costs memory for
as long as the process runs."""

IDLE_SECONDS = 0.2
"""How long a poll waits while there is nothing to do, and so how long a stop may take. Half of it would poll twice as
often for nothing."""

_DAMAGED: Headers = (("ce_damaged", b"true"),)
"""On the features of an image of which a part was missing; others have no such attribute."""

_NOTHING = Processed((), (), {})


Decrypt = Callable[[Sequence[Image | Rejected]], Sequence[Image | Rejected]]
"""Images as they were sent, of images as they are in the log (see ImageCipher.decrypt)."""


def unencrypted(images: Sequence[Image | Rejected]) -> Sequence[Image | Rejected]:
    """The Decrypt of a log without encrypted images."""
    return images


class PendingImage(NamedTuple):
    """An image that was polled and is not finished.

    ``rejected`` is set where its event is invalid; otherwise ``image`` and ``decoded`` are.
    """

    record: Record
    arrived: float
    image: Image | None = None
    decoded: "Future[Decoded] | None" = None
    rejected: Rejected | None = None


class ExtractorProcessor:
    """A stateless map: it has only images that were polled and not yet finished, which are polled again after a crash.

    Images are finished in the order they came in, valid or not, so a position means that all before it are finished.
    It has at most two batches: one in inference while the next is decoded.
    """

    name = "extractor"
    topic = IMAGES

    def __init__(
        self,
        backbone: Backbone,
        decoder: Decoder,
        *,
        batch: int,
        batch_wait: float,
        metrics: Metrics,
        decrypt: Decrypt = unencrypted,
        max_streams: int = MAX_STREAMS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backbone, self.max_records = SynchronizedBackbone(backbone), batch
        self._inference = BatchInference(self.backbone, batch)
        self._decoder, self._batch_wait, self._metrics, self._clock = decoder, batch_wait, metrics, clock
        self._decrypt = decrypt
        self._queue: deque[PendingImage] = deque()
        self._streams, self._max_streams = set[str](), max_streams
        # Zero before the first batch: a rate in Prometheus needs a value to begin from.
        self._seconds = {stage: metrics.stage_seconds.labels(stage) for stage in ("decode", "infer", "encode")}
        self._precision: Headers = (("ce_precision", backbone.precision.encode()),)

    def restore(self, partition: int, generation: int) -> int | None:
        """The extractor starts where its group has committed: it has no state of its own."""
        return None

    def process(self, records: Sequence[Record]) -> Processed:
        """Start to decode new images; infer a batch if one is due. Raises StoreUnavailable, for keys of images."""
        now = self._clock()
        images = self._decrypt([_decode_event(record) for record in records])
        self._queue.extend(self._start_decoding(*pair, now) for pair in zip(records, images, strict=True))
        return self._finish_batch() if self._due(more_came=bool(records)) else _NOTHING

    def poll_timeout(self) -> float:
        """0 for a full batch: it is decoded while the next one is polled. A partial one may grow for a little while."""
        if not self._queue:
            return IDLE_SECONDS
        return 0.0 if len(self._queue) >= self.max_records else max(0.0, self._seconds_until_due())

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        """Nothing to store: the position that the group commits is all the extractor needs."""

    def discard(self, partition: int) -> None:
        """Forget the images of a partition: the process that owns it now polls them again."""
        for pending in self._queue:
            if pending.record.partition == partition and pending.decoded is not None:
                pending.decoded.cancel()
        self._queue = deque(pending for pending in self._queue if pending.record.partition != partition)

    def hide_metrics(self, partition: int) -> None:
        """Nothing to hide: the extractor has no metrics by partition."""

    def on_demand(self) -> OnDemandExtraction:
        """Extracts single images that are not events, between two batches, with this decoder and backbone."""
        return OnDemandExtraction(self.backbone, self._decoder.decode)

    def close(self) -> None:
        """End the decoding threads."""
        self._decoder.close()

    def _start_decoding(self, record: Record, image: Image | Rejected, now: float) -> PendingImage:
        if isinstance(image, Rejected):
            return PendingImage(record, now, rejected=image)
        return PendingImage(record, now, image=image, decoded=self._decoder.submit(image.data))

    def _due(self, *, more_came: bool) -> bool:
        """A full batch waits for one poll, so that the next one is decoded meanwhile; a partial one, ``batch_wait``."""
        waiting = len(self._queue)
        if waiting >= 2 * self.max_records:
            return True
        if waiting >= self.max_records:
            return not more_came
        return waiting > 0 and self._seconds_until_due() <= 0

    def _seconds_until_due(self) -> float:
        return self._queue[0].arrived + self._batch_wait - self._clock()

    def _finish_batch(self) -> Processed:
        batch = [self._queue.popleft() for _ in range(min(self.max_records, len(self._queue)))]
        decoded: list[tuple[PendingImage, Decoded]] = []
        rejected: list[tuple[Record, Rejected]] = []
        for pending in batch:
            try:
                decoded.append((pending, _wait_for_pixels(pending)))
            except Rejected as reason:
                rejected.append((pending.record, reason))
        messages = self._extract(decoded) if decoded else []
        return Processed(messages, rejected, {pending.record.partition: pending.record.offset + 1 for pending in batch})

    def _extract(self, images: Sequence[tuple[PendingImage, Decoded]]) -> list[Message]:
        begin = time.perf_counter()
        vectors = self._inference.run(np.stack([decoded.pixels for _, decoded in images]))
        inferred = time.perf_counter()
        messages = [self._message(*image, vector) for image, vector in zip(images, vectors, strict=True)]
        self._seconds["decode"].observe(sum(decoded.seconds for _, decoded in images))
        self._seconds["infer"].observe(inferred - begin)
        self._seconds["encode"].observe(time.perf_counter() - inferred)
        self._metrics.batch_size.observe(len(images))
        return messages

    def _message(self, pending: PendingImage, decoded: Decoded, vector: Vectors) -> Message:
        assert pending.image is not None
        self._metrics.images.labels(self._metric_stream(pending.image.stream)).inc()
        damaged = _DAMAGED if decoded.damaged else ()
        extra = (*self._precision, *damaged, *_foreign_headers(pending.record.headers))
        return encode_features(pending.image, vector, self.backbone.id, source=SOURCE, extra=extra)

    def _metric_stream(self, stream: str) -> str:
        """The stream's name as a label of metrics, or OTHER_STREAMS beyond MAX_STREAMS names."""
        if len(self._streams) < self._max_streams:
            self._streams.add(stream)
        return stream if stream in self._streams else OTHER_STREAMS


def create(
    settings: Settings,
    *,
    cache: Path,
    environ: Mapping[str, str],
    metrics: Metrics,
    decrypt: Decrypt,
    stop: threading.Event,
) -> ExtractorProcessor:
    """The extractor that the settings ask for, its backbone loaded: see `loading.load` for what that takes.

    Close it when its runner has ended. Raises ConfigError; ConversionInterrupted where Ctrl-C, or ``stop``, ended the
    conversion.
    """
    backbone = load(settings, cache, environ, stop)
    threads = settings.decode_threads or os.cpu_count() or 1
    decoder = Decoder(
        backbone.size, max_pixels=settings.max_pixels, max_bytes=settings.max_image_bytes, threads=threads
    )
    return ExtractorProcessor(
        backbone, decoder, batch=settings.batch, batch_wait=settings.batch_wait, metrics=metrics, decrypt=decrypt
    )


def _decode_event(record: Record) -> Image | Rejected:
    try:
        return decode_image(record)
    except Rejected as rejected:
        return rejected


def _wait_for_pixels(pending: PendingImage) -> Decoded:
    """Raises Rejected where the event or its image is invalid."""
    if pending.rejected is not None:
        raise pending.rejected
    assert pending.decoded is not None
    return pending.decoded.result()


def _foreign_headers(headers: Headers) -> Headers:
    """Headers that are not CloudEvents' and not about the payload: traces and the like are passed on with the image."""
    return tuple(pair for pair in headers if not canonical(pair[0]).startswith(("ce_", "content-type")))
