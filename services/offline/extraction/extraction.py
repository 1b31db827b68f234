"""Features of a source's images, batch by batch: the next ones are read and decoded while one is inferred."""

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from prequel.services.extractor.decoding import Decoded
from prequel.services.offline.extraction.copies import Copies
from prequel.services.offline.extraction.image_backbone import ImageBackbone
from prequel.services.offline.extraction.image_source import ImageSource
from prequel.services.producer.errors import SourceError
from prequel.services.producer.sources.base import SourceImage
from prequel.services.producer.summary import ImageProblem
from prequel.shared.events.types import Rejected
from prequel.shared.features.base import FeatureRows, RowInfo


class _Decoding(NamedTuple):
    """An image that is being decoded."""

    row: RowInfo
    pixels: "Future[Decoded]"


class _Decodable(NamedTuple):
    row: RowInfo
    decoded: Decoded


class Extraction:
    """Passes over images of a source. For one thread.

    ``done`` are rows of an earlier run: their images are not read again. After ``rows`` has ended, or been left, the
    lists say what had no features, and why.
    """

    def __init__(
        self, source: ImageSource, images: ImageBackbone, stop: threading.Event, done: Sequence[RowInfo] = ()
    ) -> None:
        self._source, self._backbone, self._decoder, self._batch = source, images.backbone, images.decoder, images.batch
        self._stop = stop
        self._done = {row.name: row for row in done}
        self._images: Iterator[SourceImage] = iter(())
        self.copies = Copies()
        for row in done:
            self.copies.is_new(row)
        self.unreadable: list[ImageProblem] = []
        self.rejected: list[ImageProblem] = []
        self.damaged = 0
        """Images of which a part was missing; they have features."""
        self.seen = 0
        """Images of the source that are dealt with, those of an earlier run among them."""

    def rows(self, images: Iterable[SourceImage]) -> Generator[FeatureRows]:
        """The features of every one of the images that has some, at most a batch at a time, in their order.

        Ends early, after the batch that is being inferred, when ``stop`` is set. Blocks. Raises SourceError where an
        image of ``done`` has another label now; OutOfMemory.
        """
        running: Future[FeatureRows] | None = None
        self._images = iter(images)
        with ThreadPoolExecutor(1, "inference") as inference:
            batch = self._begin_batch()
            while batch:
                following = self._begin_batch()
                decodable = [image for image in map(self._wait, batch) if image]
                if self._stop.is_set():
                    break
                if running:
                    yield running.result()
                running = inference.submit(self._infer, decodable) if decodable else None
                batch = following
            if running:
                yield running.result()

    def _begin_batch(self) -> list[_Decoding]:
        """Read the next images, and begin to decode them."""
        batch = list[_Decoding]()
        while len(batch) < self._batch and not self._stop.is_set():
            if (image := next(self._images, None)) is None:
                break
            if begun := self._begin(image):
                batch.append(begun)
        return batch

    def _begin(self, image: SourceImage) -> _Decoding | None:
        """None where the image needs no features, or cannot have any."""
        self.seen += 1
        name = readable(image.name)
        if known := self._done.get(name):
            self._check_label(known, image.label)
            return None
        try:
            loaded = self._source.source.load(image)
        except OSError as error:
            self.unreadable.append(ImageProblem(name, error.strerror or str(error)))
            return None
        row = RowInfo(loaded.id, name, image.label, self._source.split_of(image))
        if not self.copies.is_new(row):
            return None
        return _Decoding(row, self._decoder.submit(loaded.data, self._backbone.size))

    def _wait(self, image: _Decoding) -> _Decodable | None:
        try:
            decoded = image.pixels.result()
        except Rejected as rejected:
            self.rejected.append(ImageProblem(image.row.name, str(rejected)))
            return None
        self.damaged += decoded.damaged
        return _Decodable(image.row, decoded)

    def _infer(self, images: Sequence[_Decodable]) -> FeatureRows:
        vectors = self._backbone.extract(np.stack([image.decoded.pixels for image in images]))
        return FeatureRows([image.row for image in images], vectors)

    def _check_label(self, known: RowInfo, label: str | None) -> None:
        if known.label != label:
            raise SourceError(
                f"{known.name} had the label {known.label} in the run that began this file, and has {label} now: give "
                "the same --labels as then, or write another file"
            )


def readable(name: str) -> str:
    """A path as text that any file can hold: bytes that are no UTF-8 as `\\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
