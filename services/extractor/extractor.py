"""The extractor: a processor that turns image events into feature events, decoding while it infers."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from prequel.services.extractor.backbone_pool import BackbonePool, BackboneUnavailable
from prequel.services.extractor.backbones.base import Choice, Vectors
from prequel.services.extractor.backbones.registry import choose
from prequel.services.extractor.decoding import Decoded, Decoder
from prequel.services.extractor.image_queue import Batch, ImageQueue, PendingImage, unavailable
from prequel.services.extractor.loaded_backbone import LoadedBackbone
from prequel.services.extractor.loading import BackboneLoader
from prequel.services.extractor.on_demand import OnDemandExtraction
from prequel.services.extractor.stream_backbones import StreamSpecs
from prequel.shared.config import ConfigError, Settings
from prequel.shared.events.attributes import canonical
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Image, Rejected
from prequel.shared.log.base import IMAGES, Headers, Message, Record
from prequel.shared.runtime.deadlines import BACKBONE_HELD_S
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed

SOURCE = "prequel/extractor"

MAX_STREAMS, OTHER_STREAMS = 10_000, "(others)"
"""Streams with a metric of their own; all others share one. On Kafka anyone can invent names, and each costs memory for
as long as the process runs."""

IDLE_SECONDS = 0.2
"""How long a poll waits while there is nothing to do, and so how long a stop may take. Half of it would poll twice as
often for nothing."""

LOADING_SECONDS = 0.05
"""The same while a backbone is being loaded: its images are extracted this much later than they could be at most."""

MAX_HELD_BYTES = 64 * 2**20
"""Encoded images that are held while their backbone is being loaded: some hundred photographs, so that the streams of
other backbones go on for a while. With more, those wait too: then hardly any record is taken in."""

_DAMAGED: Headers = (("ce_damaged", b"true"),)
"""On the features of an image of which a part was missing; others have no such attribute."""

_NOTHING = Processed((), (), {})


Decrypt = Callable[[Sequence[Image | Rejected]], Sequence[Image | Rejected]]
"""Images as they were sent, of images as they are in the log (see ImageCipher.decrypt)."""


def unencrypted(images: Sequence[Image | Rejected]) -> Sequence[Image | Rejected]:
    """The Decrypt of a log without encrypted images."""
    return images


class ExtractorProcessor:
    """A stateless map: it has only images that were polled and not yet finished, which are polled again after a crash.

    A batch is for one backbone. Images of one stream are finished in the order they came, valid or not; those of other
    streams pass them while their backbone is being loaded. Positions are those before which everything is finished.
    With one backbone it has at most two batches: one in inference while the next is decoded.
    """

    name = "extractor"
    topic = IMAGES

    def __init__(
        self,
        pool: BackbonePool,
        streams: StreamSpecs,
        decoder: Decoder,
        *,
        choose: Callable[[str], Choice],
        batch: int,
        batch_wait: float,
        metrics: Metrics,
        decrypt: Decrypt = unencrypted,
        max_streams: int = MAX_STREAMS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``choose`` gives the backbone of a spec, and raises ConfigError where there is none."""
        self._pool, self._specs, self._decoder, self._choose = pool, streams, decoder, choose
        self._batch, self._batch_wait, self._metrics, self._clock = batch, batch_wait, metrics, clock
        self._queue = ImageQueue()
        self._next: Batch | None = None
        self._decrypt = decrypt
        self._streams, self._max_streams = set[str](), max_streams
        # Zero before the first batch: a rate in Prometheus needs a value to begin from.
        self._seconds = {stage: metrics.stage_seconds.labels(stage) for stage in ("decode", "infer", "encode")}

    @property
    def max_records(self) -> int:
        """A batch; one record while as many images as may be are held for a backbone that is being loaded."""
        return self._batch if self._next_batch().held_bytes < MAX_HELD_BYTES else 1

    def restore(self, partition: int, generation: int) -> int | None:
        """The extractor starts where its group has committed: it has no state of its own."""
        return None

    def process(self, records: Sequence[Record]) -> Processed:
        """Start to decode new images; infer a batch if one is due. Raises StoreUnavailable, also for keys of images."""
        self._pool.free_unused()  # In each turn: an extractor without images must not keep a backbone in memory either.
        if records:
            self._queue.extend(self._begin(records))
            self._next = None
        batch = self._next_batch()
        if batch.images and self._due(batch, more_came=bool(records)):
            return self._finish_batch(batch)
        if not batch.images and batch.held_bytes >= MAX_HELD_BYTES:
            self._pool.wait_for_any(BACKBONE_HELD_S)
        return _NOTHING

    def poll_timeout(self) -> float:
        """0 for a full batch: it is decoded while the next one is polled. A partial one may grow for a little while."""
        batch = self._next_batch()
        if not batch.images:
            return LOADING_SECONDS if batch.held_bytes else IDLE_SECONDS
        full = len(batch.images) >= self._batch or batch.waiting >= 2 * self._batch
        return 0.0 if full else max(0.0, self._seconds_until_due(batch))

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        """Nothing to store: the position that the group commits is all the extractor needs."""

    def discard(self, partition: int) -> None:
        """Forget the images of a partition: the process that owns it now polls them again."""
        self._queue.discard(partition)
        self._next = None

    def hide_metrics(self, partition: int) -> None:
        """Nothing to hide: the extractor has no metrics by partition."""

    def on_demand(self) -> OnDemandExtraction:
        """Extracts single images that are not events, between two batches, with these backbones and decoder."""
        return OnDemandExtraction(self._pool, self._choose, self._decoder.decode)

    def close(self) -> None:
        """End the decoding threads, and load no more backbones."""
        self._decoder.close()
        self._pool.close()

    def _begin(self, records: Sequence[Record]) -> list[PendingImage]:
        now = self._clock()
        images = self._decrypt([_decode_event(record) for record in records])
        specs = self._specs.of(image.stream for image in images if isinstance(image, Image))
        # Once for all images of a poll: it looks for weights files.
        choices = {spec: self._chosen(spec) for spec in set(specs.values())}
        return [
            PendingImage(record, now, rejected=image)
            if isinstance(image, Rejected)
            else self._begin_image(record, now, image, choices[specs[image.stream]])
            for record, image in zip(records, images, strict=True)
        ]

    def _chosen(self, spec: str) -> Choice | BackboneUnavailable:
        try:
            return self._choose(spec)
        except ConfigError as error:
            return BackboneUnavailable(f"{spec}, which cannot be loaded here: {error}")

    def _begin_image(
        self, record: Record, now: float, image: Image, choice: Choice | BackboneUnavailable
    ) -> PendingImage:
        if isinstance(choice, BackboneUnavailable):
            return PendingImage(record, now, image, rejected=unavailable(image.stream, choice))
        # One whose backbone is not there may be held for long: its pixels would take memory for nothing.
        loaded = self._pool.has(choice)
        decoded = self._decoder.submit(image.data, choice.config.size) if loaded else None
        return PendingImage(record, now, image, choice, decoded)

    def _next_batch(self) -> Batch:
        """What is next as of now; it changes with the queue, and where images are held with the pool."""
        if self._next is None or self._next.held_bytes:
            self._pool.need(self._queue.choices())
            self._next = self._queue.next_batch(self._pool.get, self._batch)
        return self._next

    def _due(self, batch: Batch, *, more_came: bool) -> bool:
        """A full batch waits for one poll, so that the next one is decoded meanwhile; a partial one, ``batch_wait``."""
        if batch.waiting >= 2 * self._batch:
            return True
        if len(batch.images) >= self._batch:
            return not more_came
        return self._seconds_until_due(batch) <= 0

    def _seconds_until_due(self, batch: Batch) -> float:
        return batch.images[0].arrived + self._batch_wait - self._clock()

    def _finish_batch(self, batch: Batch) -> Processed:
        self._next = None
        images = [self._decoding(pending) for pending in batch.images]
        decoded: list[tuple[PendingImage, Decoded]] = []
        rejected: list[tuple[Record, Rejected]] = []
        for pending in images:
            try:
                decoded.append((pending, _wait_for_pixels(pending)))
            except Rejected as reason:
                rejected.append((pending.record, reason))
        messages = self._extract(decoded, batch.backbone) if decoded and batch.backbone else []
        return Processed(messages, rejected, self._queue.finish(batch.images))

    def _decoding(self, pending: PendingImage) -> PendingImage:
        """The image, being decoded: one that was held is not yet."""
        if pending.rejected or pending.decoded or not (pending.image and pending.choice):
            return pending
        return pending._replace(decoded=self._decoder.submit(pending.image.data, pending.choice.config.size))

    def _extract(self, images: Sequence[tuple[PendingImage, Decoded]], backbone: LoadedBackbone) -> list[Message]:
        begin = time.perf_counter()
        vectors = backbone.extract(np.stack([decoded.pixels for _, decoded in images]))
        inferred = time.perf_counter()
        pairs = zip(images, vectors, strict=True)
        messages = [self._message(*image, vector, backbone) for image, vector in pairs]
        self._seconds["decode"].observe(sum(decoded.seconds for _, decoded in images))
        self._seconds["infer"].observe(inferred - begin)
        self._seconds["encode"].observe(time.perf_counter() - inferred)
        self._metrics.batch_size.observe(len(images))
        return messages

    def _message(self, pending: PendingImage, decoded: Decoded, vector: Vectors, backbone: LoadedBackbone) -> Message:
        assert pending.image is not None
        self._metrics.images.labels(self._metric_stream(pending.image.stream)).inc()
        damaged = _DAMAGED if decoded.damaged else ()
        precision = ("ce_precision", backbone.precision.encode())
        extra = (precision, *damaged, *_foreign_headers(pending.record.headers))
        return encode_features(pending.image, vector, backbone.id, source=SOURCE, extra=extra)

    def _metric_stream(self, stream: str) -> str:
        """The stream's name as a label of metrics, or OTHER_STREAMS beyond MAX_STREAMS names."""
        if len(self._streams) < self._max_streams:
            self._streams.add(stream)
        return stream if stream in self._streams else OTHER_STREAMS


def create(
    settings: Settings,
    streams: StreamSpecs,
    *,
    cache: Path,
    environ: Mapping[str, str],
    metrics: Metrics,
    decrypt: Decrypt,
    stop: threading.Event,
) -> ExtractorProcessor:
    """The extractor that the settings ask for, its own backbone loaded: see `BackboneLoader.load` for what that takes.

    Close it when its runner has ended. Raises ConfigError; ConversionInterrupted where Ctrl-C, or ``stop``, ended the
    conversion.
    """
    loader = BackboneLoader(settings, cache, environ, stop)
    pool = BackbonePool(loader.load, max_loaded=settings.backbones_loaded, batch=settings.batch)
    pool.wait(choose("", settings))
    threads = settings.decode_threads or os.cpu_count() or 1
    decoder = Decoder(max_pixels=settings.max_pixels, max_bytes=settings.max_image_bytes, threads=threads)
    return ExtractorProcessor(
        pool,
        streams,
        decoder,
        choose=lambda spec: choose(spec, settings),
        batch=settings.batch,
        batch_wait=settings.batch_wait,
        metrics=metrics,
        decrypt=decrypt,
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
