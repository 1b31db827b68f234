"""What remains of a record when its stream was deleted, or its image forgotten: what the fold of all others needs."""

from typing import Any

import orjson

from prequel.services.learner.fold.commands import Deletion, Removal
from prequel.services.learner.fold.relocation import ORIGIN_HEADER
from prequel.shared.events.commands import redacted_command
from prequel.shared.events.decoding import decode_example, decode_prediction_event
from prequel.shared.events.erased import erased_headers
from prequel.shared.events.images import decode_image
from prequel.shared.events.names import id_digest
from prequel.shared.events.types import Applied, Command, Defaults, Drift, Erased, Features, Label, Rejected
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS, Headers, Position, Record
from prequel.shared.log.erasable import Remains


def redacted(record: Record, removal: Removal) -> Remains | None:
    """What remains of a record of the deleted stream, or of a forgotten image; None where it is to stay as it is.

    It stays where it is another stream's or image's, or came after the command. Of all others the value goes, and what
    the fold counts them by (a backbone, the digest of an id) remains as headers. The command that forgot an image names
    it, and remains with the digests of the ids.
    """
    if record.topic == EXAMPLES and record.offset == removal.position.offset and not isinstance(removal, Deletion):
        return redacted_command(record)
    headers = _BY_TOPIC[record.topic](record, removal)
    return None if headers is None else Remains(headers)


def _redact_image(record: Record, removal: Removal) -> Headers | None:
    try:
        image = decode_image(record)
    except Rejected:
        return None
    gone = image.stream == removal.stream and removal.covers(image.position) and removal.concerns(image.id)
    forgotten = {} if isinstance(removal, Deletion) else {"forgotten": "true"}
    return erased_headers(subject=removal.stream, **forgotten) if gone else None


def _redact_example(record: Record, removal: Removal) -> Headers | None:
    """Commands stay: they are the stream's history, and have nothing of its images in them."""
    if record.key != removal.stream.encode():
        return None
    before = record.offset < removal.position.offset
    try:
        event = decode_example(record)
    except Rejected:
        return _with_origin(record, erased_headers()) if before and _is_of(record, removal) else None
    if isinstance(event, Command | Defaults | Erased) or not removal.concerns(event.id):
        return None
    if isinstance(event, Features):
        if not before:
            return _with_origin(record, erased_headers()) if removal.covers(event.image) else None
        return _with_origin(record, erased_headers(backbone=event.backbone, dim=str(event.vector.size)))
    return _with_origin(record, _label_headers(event)) if before else None


def _is_of(record: Record, removal: Removal) -> bool:
    """Whether a record that is no valid event was for what is removed, as far as it says for which image it was."""
    return isinstance(removal, Deletion) or removal.concerns(_id_of(record))


def _id_of(record: Record) -> str:
    """The id in the headers, else the one in the value where that is JSON; empty where there is none."""
    id: Any = dict(record.headers).get("ce_id", b"").decode("utf-8", "replace")
    try:
        body = orjson.loads(record.value)
        id = body.get("id", id) if isinstance(body, dict) else id
    except orjson.JSONDecodeError:
        pass
    return str(id) if isinstance(id, str | int) else ""


def _label_headers(event: Label) -> Headers:
    return erased_headers(id=id_digest(event.id), retracts=str(event.label is None).lower())


def _with_origin(record: Record, headers: Headers) -> Headers:
    """A record that was relocated to this partition still says from where: copies of it are recognised by that."""
    return (*headers, *(pair for pair in record.headers if pair[0] == ORIGIN_HEADER))


def _redact_prediction(record: Record, removal: Removal) -> Headers | None:
    try:
        event = decode_prediction_event(record)
    except Rejected:
        return None
    partition, offset = removal.position
    before = event.position.partition == partition and event.position.offset < offset
    if event.stream != removal.stream or not before or isinstance(event, Applied):
        return None
    if isinstance(event, Drift):  # Names no image.
        return erased_headers() if isinstance(removal, Deletion) else None
    return erased_headers() if removal.concerns(event.id) else None


def _redact_dead_letter(record: Record, removal: Removal) -> Headers | None:
    headers = dict(record.headers)
    if removal.stream.encode() not in (headers.get("ce_subject"), record.key):
        return None
    if not _is_of(record, removal):
        return None
    topic, _, origin = headers.get("ce_origin", b"").decode("utf-8", "replace").partition(":")
    image = headers.get("ce_image", origin.encode() if topic == IMAGES else b"").decode("utf-8", "replace")
    before = topic == EXAMPLES and _is_before(origin, removal)
    return erased_headers() if before or _is_covered(image, removal) else None


def _is_before(origin: str, removal: Removal) -> bool:
    try:
        partition, offset = Position.parse(origin)
    except ValueError:
        return False
    return partition == removal.position.partition and offset < removal.position.offset


def _is_covered(image: str, removal: Removal) -> bool:
    try:
        return removal.covers(Position.parse(image))
    except ValueError:
        return False


_BY_TOPIC = {
    IMAGES: _redact_image,
    EXAMPLES: _redact_example,
    PREDICTIONS: _redact_prediction,
    DEAD_LETTERS: _redact_dead_letter,
}
