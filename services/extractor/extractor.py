"""The extractor: a processor that turns image events into feature events, decoding while it infers."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

import numpy as np

from prequel.services.extractor.backbones.base import Backbone, Images, OutOfMemory, Vectors
from prequel.services.extractor.decoding import Decoded, Decoder
from prequel.services.extractor.loading import load
from prequel.services.extractor.on_demand import OnDemand, SynchronizedBackbone
from prequel.shared.config import Settings
from prequel.shared.events.attributes import canonical
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Image, Rejected
from prequel.shared.log.base import IMAGES, Headers, Message, Record
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.processor import Processed

SOURCE = "prequel/extractor"
MAX_STREAMS, OTHERS = 10_000, "(others)"
"""So many streams are counted by name, the others together."""
IDLE_SECONDS = 0.2
"""How long to wait for an image when there is nothing to do: the longest that a stop has to wait too."""

_DAMAGED: Headers = (("ce_damaged", b"true"),)
"""On the features of an image of which a part was missing; others have no such attribute."""
_NOTHING = Processed((), (), {})
_log = logging.getLogger(__name__)


class PendingImage(NamedTuple):
    """An image on its way. ``decoded`` is None if its event already was no good, for the reason ``rejected``."""

    record: Record
    arrived: float
    image: Image | None
    decoded: "Future[Decoded] | None"
    rejected: Rejected | None


class ExtractorProcessor:
    """A stateless map: what it holds are images that were polled and not yet finished, which a restart polls again.

    Images are finished in the order they came in, whatever becomes of each, so a position stands for all before it.
    At most two batches are held: one that is inferred while the next is decoded.
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
        most_streams: int = MAX_STREAMS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backbone, self.max_records = SynchronizedBackbone(backbone), batch
        self._decoder, self._batch_wait, self._metrics, self._clock = decoder, batch_wait, metrics, clock
        self._queue: deque[PendingImage] = deque()
        self._fits = batch
        self._streams, self._most_streams = set[str](), most_streams
        # Shown as zero before the first batch: a rate needs a value to begin from.
        self._seconds = {stage: metrics.stage_seconds.labels(stage) for stage in ("decode", "infer", "encode")}
        self._extra: Headers = (("ce_precision", backbone.precision.encode()),)

    def restore(self, partition: int, generation: int) -> int | None:
        """From where the group has committed: there is no state."""
        return None

    def process(self, records: Sequence[Record]) -> Processed:
        """Start decoding what came in; infer a batch if one is due."""
        now = self._clock()
        self._queue.extend(self._take(record, now) for record in records)
        return self._finish() if self._due(bool(records)) else _NOTHING

    def poll_timeout(self) -> float:
        """None for a full batch: its decoding goes on while the next one is polled. A partial one may grow a little."""
        if not self._queue:
            return IDLE_SECONDS
        return 0.0 if len(self._queue) >= self.max_records else max(0.0, self._remaining())

    def checkpoint(self, positions: Mapping[int, int]) -> None:
        """Nothing of its own: the group's committed position is all there is."""

    def discard(self, partition: int) -> None:
        """Forget what was polled of a partition: whoever owns it now polls it again."""
        for item in self._queue:
            if item.record.partition == partition and item.decoded is not None:
                item.decoded.cancel()
        self._queue = deque(item for item in self._queue if item.record.partition != partition)

    def hide_metrics(self, partition: int) -> None:
        """Nothing is shown by partition."""

    def on_demand(self) -> OnDemand:
        """The same for an image that is no event: this decoder and backbone, between two batches."""
        return OnDemand(self.backbone, self._decoder.decode)

    def close(self) -> None:
        """End the decoding threads."""
        self._decoder.close()

    def _take(self, record: Record, now: float) -> PendingImage:
        try:
            image = decode_image(record)
        except Rejected as rejected:
            return PendingImage(record, now, None, None, rejected)
        return PendingImage(record, now, image, self._decoder.submit(image.data), None)

    def _due(self, more_came: bool) -> bool:
        """A full batch waits for one more poll, so that the next is decoded meanwhile; a partial one, for its time."""
        waiting = len(self._queue)
        if waiting >= 2 * self.max_records:
            return True
        if waiting >= self.max_records:
            return not more_came
        return waiting > 0 and self._remaining() <= 0

    def _remaining(self) -> float:
        return self._queue[0].arrived + self._batch_wait - self._clock()

    def _finish(self) -> Processed:
        items = [self._queue.popleft() for _ in range(min(self.max_records, len(self._queue)))]
        good: list[tuple[PendingImage, Decoded]] = []
        rejected: list[tuple[Record, Rejected]] = []
        for item in items:
            try:
                good.append((item, _outcome(item)))
            except Rejected as reason:
                rejected.append((item.record, reason))
        messages = self._extract(good) if good else []
        return Processed(messages, rejected, {item.record.partition: item.record.offset + 1 for item in items})

    def _extract(self, good: Sequence[tuple[PendingImage, Decoded]]) -> list[Message]:
        begin = time.perf_counter()
        vectors = self._infer(np.stack([decoded.pixels for _, decoded in good]))
        inferred = time.perf_counter()
        messages = [self._message(*each, vector) for each, vector in zip(good, vectors, strict=True)]
        self._seconds["decode"].observe(sum(decoded.seconds for _, decoded in good))
        self._seconds["infer"].observe(inferred - begin)
        self._seconds["encode"].observe(time.perf_counter() - inferred)
        self._metrics.batch_size.observe(len(good))
        return messages

    def _infer(self, images: Images) -> Vectors:
        """Infer in one piece; if memory does not suffice, from now on in halves of it."""
        try:
            return self._infer_in_parts(images)
        except OutOfMemory as error:
            tried = min(self._fits, len(images))
            if tried == 1:
                raise
            self._fits = tried // 2
            _log.warning("not enough memory for %d images at once, %d from now on: %s", tried, self._fits, error)
            return self._infer_in_parts(images)

    def _infer_in_parts(self, images: Images) -> Vectors:
        if len(images) <= self._fits:
            return self.backbone.extract(images)
        starts = range(0, len(images), self._fits)
        return np.concatenate([self.backbone.extract(images[start : start + self._fits]) for start in starts])

    def _message(self, item: PendingImage, decoded: Decoded, vector: Vectors) -> Message:
        assert item.image is not None
        self._metrics.images.labels(self._counted_as(item.image.stream)).inc()
        extra = (*self._extra, *(_DAMAGED if decoded.damaged else ()), *_foreign(item.record.headers))
        return encode_features(item.image, vector, self.backbone.id, source=SOURCE, extra=extra)

    def _counted_as(self, stream: str) -> str:
        """The stream, or OTHERS where that would be one more than is counted by name: anyone can think up names."""
        if len(self._streams) < self._most_streams:
            self._streams.add(stream)
        return stream if stream in self._streams else OTHERS


def create(
    settings: Settings, *, cache: Path, environ: Mapping[str, str], metrics: Metrics, stop: threading.Event
) -> ExtractorProcessor:
    """The extractor that the settings ask for, its backbone loaded: see `loading.load` for what that takes.

    Close it when its runner has ended. Raises ConfigError; conversion.Interrupted where Ctrl-C, or ``stop``, ended the
    conversion.
    """
    backbone = load(settings, cache, environ, stop)
    threads = settings.decode_threads or os.cpu_count() or 1
    decoder = Decoder(
        backbone.size, max_pixels=settings.max_pixels, max_bytes=settings.max_image_bytes, threads=threads
    )
    return ExtractorProcessor(backbone, decoder, batch=settings.batch, batch_wait=settings.batch_wait, metrics=metrics)


def _outcome(item: PendingImage) -> Decoded:
    if item.rejected is not None:
        raise item.rejected
    assert item.decoded is not None
    return item.decoded.result()


def _foreign(headers: Headers) -> Headers:
    """Headers that are neither CloudEvents' nor about the payload: traces and the like travel on with the image."""
    return tuple(pair for pair in headers if not canonical(pair[0]).startswith(("ce_", "content-type")))
