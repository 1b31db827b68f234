"""Dead letters: why an image, a label or a command will never be processed."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from prequel.services.gateway.view.deleted_images import DeletedStreamImages
from prequel.services.gateway.view.gallery import Gallery
from prequel.shared.events.attributes import canonical
from prequel.shared.log.base import IMAGES, Log, Position, Record


class DeadLetter(NamedTuple):
    """A record that was rejected, with the reason.

    ``topic`` and ``origin`` are where the record stands in the log; for features, where their image does, if they have
    one. ``of_example``: it was an image or features, so that there will be no prediction.
    """

    topic: str
    origin: Position
    stream: str
    id: str
    reason: str
    detail: str
    time: float
    of_example: bool


class DeadLetterHandler:
    """Passes dead letters to ``deliver``, with whether their image belonged to a stream that was deleted since."""

    def __init__(self, log: Log, gallery: Gallery, deliver: Callable[[DeadLetter, bool], None]) -> None:
        self._gallery, self._deliver = gallery, deliver
        self._deleted_images = DeletedStreamImages(log)

    async def restart(self) -> None:
        """Nothing to forget: a dead letter that comes again changes nothing."""

    async def handle(self, decoded: Sequence[DeadLetter], current: bool) -> None:
        for dead_letter in decoded:
            self._deliver(dead_letter, await self._of_deleted_stream(dead_letter))

    async def _of_deleted_stream(self, dead_letter: DeadLetter) -> bool:
        command = self._gallery.deletion_of(dead_letter.stream) if dead_letter.of_example else None
        if command is None or dead_letter.topic == IMAGES:
            return command is not None and await self._deleted_images.contains(command, dead_letter.origin)
        return dead_letter.origin.partition == command.partition and dead_letter.origin < command


def decode_dead_letters(records: Sequence[Record]) -> list[DeadLetter]:
    """The dead letters that say where their record stood in the log; no request can wait for any other."""
    return [dead_letter for dead_letter in map(_decode, records) if dead_letter]


def _decode(record: Record) -> DeadLetter | None:
    headers = {canonical(name): value.decode("utf-8", "replace") for name, value in record.headers}
    topic, _, origin = headers.get("ce_origin", "").partition(":")
    if "ce_image" in headers:
        topic, origin = IMAGES, headers["ce_image"]
    try:
        position = Position.parse(origin)
    except ValueError:
        return None
    return DeadLetter(
        topic=topic,
        origin=position,
        stream=headers.get("ce_subject") or (record.key or b"").decode("utf-8", "replace"),
        id=headers.get("ce_id") or f"{topic}:{origin}",
        reason=headers.get("ce_reason", ""),
        detail=headers.get("ce_detail", ""),
        time=record.appended_at,
        of_example=topic == IMAGES or "ce_dim" in headers,
    )
