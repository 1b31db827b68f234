"""What came first under each id: its bytes and label, so that something else with the same id is refused, not lost."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from prequel.services.gateway.blocking_calls import BlockingCalls
from prequel.services.gateway.http.problems import Problem
from prequel.services.gateway.view.gallery import GalleryRow
from prequel.services.gateway.view.live import LiveView
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.images import content_digest, decode_image
from prequel.shared.events.names import id_digest
from prequel.shared.events.types import ExampleEvent, Features, Rejected
from prequel.shared.images.encryption import ImageCipher
from prequel.shared.log.base import EXAMPLES, IMAGES, Log, Position
from prequel.shared.runtime.deadlines import FIRST_READ_S
from prequel.shared.vectors import vector_bytes

MAX_RECENT = 10_000
"""Images that this gateway accepted last, 300 bytes each: an image that is sent again within seconds has no prediction
yet, so only this knows of it. Enough for ten seconds at a thousand images a second."""
THREADS = 2
"""Threads that read the log: a log that hangs must not take other calls' threads."""
HASHED_ON_LOOP_BYTES = 2**20
"""Smaller images are hashed on the event loop: it takes at most a millisecond, no more than a change of threads."""


class FirstImage(NamedTuple):
    """An image as it first came under its id. ``digest`` None: retention has removed it."""

    digest: str | None
    label: str | None


class ImageWithId(NamedTuple):
    """An image, or the bytes of features, whose sender chose its id; ``field`` names the id in the request."""

    field: str
    id: str
    data: bytes
    label: str | None


class ImageIds:
    """Call it on the event loop only; it reads the log on threads, for FIRST_READ_S at most."""

    def __init__(self, log: Log, live: LiveView, cipher: ImageCipher, max_recent: int = MAX_RECENT) -> None:
        self._log, self._live, self._cipher, self._max_recent = log, live, cipher, max_recent
        self._calls = BlockingCalls("gateway-image-ids", THREADS, FIRST_READ_S)
        self._recent: OrderedDict[tuple[str, str], FirstImage] = OrderedDict()
        """By stream and id."""

    async def admit(self, stream: str, images: Sequence[ImageWithId]) -> None:
        """Raises Problem 409 where an id belongs to other bytes or another label.

        Raises LogUnavailable, StoreUnavailable, CallTimeout.

        Otherwise it remembers all, before they are in the log: of two requests at once, exactly one is first.
        """
        digests = await _digests(images)
        known = await self._known(stream, [image.id for image in images])
        new: dict[str, FirstImage] = {}
        for image, digest in zip(images, digests, strict=True):
            # From here on without await. While the log was read, another request may have brought the same id; and
            # this request may have it twice.
            first = known[image.id] or self._recent.get((stream, image.id)) or new.get(image.id)
            if first is None:
                new[image.id] = FirstImage(digest, image.label)
            elif problem := self._conflict(stream, image, digest, first):
                raise problem
        for id, first in new.items():
            self._remember((stream, id), first)

    def forget(self, stream: str, ids: Sequence[str]) -> None:
        """Free the ids of images that were not appended to the log after all."""
        for id in ids:
            self._recent.pop((stream, id), None)

    def images_forgotten(self, stream: str, digests: Collection[str]) -> None:
        """Free the ids with these digests: an image that is sent again is a new one."""
        for key in [key for key in self._recent if key[0] == stream and id_digest(key[1]) in digests]:
            del self._recent[key]

    def stream_deleted(self, stream: str) -> None:
        """Free every id of the stream."""
        for key in [key for key in self._recent if key[0] == stream]:
            del self._recent[key]

    def close(self) -> None:
        self._calls.close()

    async def _known(self, stream: str, ids: Sequence[str]) -> dict[str, FirstImage | None]:
        """By id; those that only the log has are read together. Raises as ``admit``, but no Problem."""
        known = {id: self._remembered(stream, id) for id in ids}
        rows = {id: row for id in ids if known[id] is None and (row := self._live.gallery.get(stream, id))}
        if rows:
            places = {id: _place(row) for id, row in rows.items()}
            read = await self._calls.run(lambda: {id: self._read(*place) for id, place in places.items()})
            for id, first in read.items():
                self._remember((stream, id), first)
            known |= read
        return known

    def _remembered(self, stream: str, id: str) -> FirstImage | None:
        """The first image, if it is in memory. A dead letter frees its id, for a corrected image."""
        recent = self._recent.get((stream, id))
        if recent is None or self._live.gallery.get(stream, id):
            return recent
        if self._live.rejected_image(stream, id):
            del self._recent[stream, id]
            return None
        return recent

    def _read(self, topic: str, position: Position) -> FirstImage:
        """The image, or the features, as the log has them. Blocks; raises LogUnavailable, StoreUnavailable."""
        record = self._log.read(topic, position.partition, [position.offset]).get(position.offset)
        if record is None:
            return FirstImage(None, None)
        try:
            if topic == EXAMPLES:
                return _first_features(decode_example(record))
            label = decode_image(record).label
            return FirstImage(content_digest(self._cipher.image_bytes(record)), label)
        except Rejected:  # the log has been replaced since the prediction was made, or the image was forgotten
            return FirstImage(None, None)

    def _remember(self, key: tuple[str, str], first: FirstImage) -> None:
        self._recent[key] = first
        self._recent.move_to_end(key)
        if len(self._recent) > self._max_recent:
            self._recent.popitem(last=False)

    def _conflict(self, stream: str, image: ImageWithId, digest: str, first: FirstImage) -> Problem | None:
        row = self._live.gallery.get(stream, image.id)
        truth = row.truth if row else None
        known = {"id": image.id, "label": first.label, "digest": first.digest, "truth": truth}
        if first.digest not in (None, digest):
            message = f"stream {stream} has another example with id {image.id}: send this one with another id"
            return _conflict_problem("content", image.field, message, known)
        if image.label is not None and image.label not in (first.label, truth):
            present = truth or first.label
            state = "has no label" if present is None else f"has the label {present!r}"
            message = (
                f"example {image.id} was sent before and {state}: to label it {image.label!r}, send that to "
                f"/v1/streams/{stream}/labels"
            )
            return _conflict_problem("label", image.field, message, known)
        return None


def _place(row: GalleryRow) -> tuple[str, Position]:
    """Topic and position of what was sent: the image, or features without one."""
    image = row.image()
    return (EXAMPLES, row.position) if image is None else (IMAGES, image)


def _first_features(event: ExampleEvent) -> FirstImage:
    if not isinstance(event, Features):
        return FirstImage(None, None)
    return FirstImage(content_digest(vector_bytes(event.vector)), event.label)


def _conflict_problem(conflict: str, field: str, message: str, first: dict[str, str | None]) -> Problem:
    errors = [{"field": field, "message": message}]
    return Problem(409, message, more={"conflict": conflict, "first": first, "errors": errors})


async def _digests(images: Sequence[ImageWithId]) -> list[str]:
    if sum(len(image.data) for image in images) < HASHED_ON_LOOP_BYTES:
        return [content_digest(image.data) for image in images]
    return await asyncio.to_thread(lambda: [content_digest(image.data) for image in images])
