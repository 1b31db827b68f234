"""Re-extraction: reads a stream's stored images, and appends their features of another backbone to the log."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from prequel.services.extractor.reextraction.missing_features import MissingFeatures
from prequel.shared.events.features import REEXTRACTED
from prequel.shared.log.base import IMAGES, Log, Message, Position, Record
from prequel.shared.runtime.processor import Processed

MAX_PASSES = 20
"""How often the log's new end is run after. Where images come faster than they are extracted, it gets no nearer."""

GONE = "not-stored"
"""Why there are no features: the log does not have the image any more."""
OTHER_STREAM = "other-stream"
"""The image at that place is another stream's: somebody wrote features with a wrong `ce_image`."""


class ImageExtractor(Protocol):
    """The part of the extractor that is used here."""

    def process(self, records: Sequence[Record]) -> Processed: ...


class Interrupted(Exception):
    """It was stopped. What was extracted is in the log; when it is begun again, it goes on from there."""


class Reextraction:
    """Brings the features of a stream up to date with its images, for one backbone.

    What is done is what stands in the log: so it may be killed and begun again, and two at once only repeat each
    other. ``advance`` is told of every few images that are finished, and of how many there are in all. It holds two
    batches of images. ``run`` blocks; raises LogUnavailable, StoreUnavailable, Interrupted soon after ``stop`` is set.
    """

    def __init__(
        self,
        log: Log,
        missing: MissingFeatures,
        extractor: ImageExtractor,
        *,
        batch: int,
        advance: Callable[[int, int], None],
        stop: threading.Event,
    ) -> None:
        self._log, self.missing, self._extractor, self._batch = log, missing, extractor, batch
        self._advance, self._stop = advance, stop
        self.done = self.total = 0
        """Images that were finished, and those that there are, as far as is known."""
        self.end = 0
        """The offset after the newest features that it has made."""
        self.failed = Counter[str]()
        """Images without features, by reason."""

    def run(self, images: Sequence[Position]) -> None:
        """Extract these, and what comes meanwhile, until the log's end is met."""
        for _ in range(MAX_PASSES):
            self.extract(images)
            images = self.missing.read()
            if len(images) < self._batch:
                break
        self.extract(images)

    def extract(self, images: Sequence[Position]) -> None:
        """Extract these alone. Blocks, and raises as ``run``."""
        self.total += len(images)
        self._advance(self.done, self.total)
        for records in self._stored(images):
            self._finish(self._extractor.process(records))
        while self.done < self.total:  # Those that are being decoded.
            self._finish(self._extractor.process(()))

    def _stored(self, images: Sequence[Position]) -> Iterator[list[Record]]:
        """The images of one batch after the other."""
        for begin in range(0, len(images), self._batch):
            positions = images[begin : begin + self._batch]
            if self._stop.is_set():
                raise Interrupted
            records = self._read(positions)
            self._count(GONE, len(positions) - len(records))
            yield records

    def _read(self, positions: Sequence[Position]) -> list[Record]:
        found: dict[Position, Record] = {}
        for partition in {position.partition for position in positions}:
            offsets = [position.offset for position in positions if position.partition == partition]
            records = self._log.read(IMAGES, partition, offsets)
            found |= {Position(partition, offset): record for offset, record in records.items()}
        return [found[position] for position in positions if position in found]

    def _finish(self, processed: Processed) -> None:
        messages = [_marked(message) for message in processed.messages if message.key == self.missing.key]
        if messages:
            self.end = self._log.append(messages)[-1].offset + 1
        for _, rejected in processed.rejected:
            self._count(rejected.reason, 1)
        self._count(OTHER_STREAM, len(processed.messages) - len(messages))
        self.done += len(messages)
        self._advance(self.done, self.total)

    def _count(self, reason: str, images: int) -> None:
        if images:
            self.failed[reason] += images
            self.done += images


def _marked(message: Message) -> Message:
    return message._replace(headers=(*message.headers, REEXTRACTED))
