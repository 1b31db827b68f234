"""What remains of a record when its stream was deleted: what the fold of the partition's other streams needs of it."""

from prequel.services.learner.fold.commands import Deletion
from prequel.services.learner.fold.join.orphan_labels import id_digest
from prequel.services.learner.fold.relocation import ORIGIN_HEADER
from prequel.shared.events.decoding import decode_example, decode_prediction_event
from prequel.shared.events.erased import erased_headers
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Applied, Command, Defaults, Erased, Features, Label, Rejected
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS, Headers, Position, Record


def redacted_headers(record: Record, deletion: Deletion) -> Headers | None:
    """The headers that remain of a record of the deleted stream; None where the record is to stay as it is.

    It stays where it is another stream's, or came after the deletion. Of all others the value goes, and what the fold
    counts them by (a backbone, the digest of an id) remains as headers.
    """
    return _BY_TOPIC[record.topic](record, deletion)


def _redact_image(record: Record, deletion: Deletion) -> Headers | None:
    try:
        image = decode_image(record)
    except Rejected:
        return None
    deleted = image.stream == deletion.stream and deletion.covers(image.position)
    return erased_headers(subject=deletion.stream) if deleted else None


def _redact_example(record: Record, deletion: Deletion) -> Headers | None:
    """Commands stay: they are the stream's history, and have nothing of its images in them."""
    if record.key != deletion.stream.encode():
        return None
    before = record.offset < deletion.position.offset
    try:
        event = decode_example(record)
    except Rejected:
        return _with_origin(record, erased_headers()) if before else None
    if isinstance(event, Command | Defaults | Erased):
        return None
    if isinstance(event, Features):
        if not before:
            return _with_origin(record, erased_headers()) if deletion.covers(event.image) else None
        return _with_origin(record, erased_headers(backbone=event.backbone, dim=str(event.vector.size)))
    return _with_origin(record, _label_headers(event)) if before else None


def _label_headers(event: Label) -> Headers:
    return erased_headers(id=id_digest(event.id), retracts=str(event.label is None).lower())


def _with_origin(record: Record, headers: Headers) -> Headers:
    """A record that was relocated to this partition still says from where: copies of it are recognised by that."""
    return (*headers, *(pair for pair in record.headers if pair[0] == ORIGIN_HEADER))


def _redact_prediction(record: Record, deletion: Deletion) -> Headers | None:
    try:
        event = decode_prediction_event(record)
    except Rejected:
        return None
    partition, offset = deletion.position
    before = event.position.partition == partition and event.position.offset < offset
    deleted = event.stream == deletion.stream and before and not isinstance(event, Applied)
    return erased_headers() if deleted else None


def _redact_dead_letter(record: Record, deletion: Deletion) -> Headers | None:
    headers = dict(record.headers)
    if deletion.stream.encode() not in (headers.get("ce_subject"), record.key):
        return None
    topic, _, origin = headers.get("ce_origin", b"").decode("utf-8", "replace").partition(":")
    image = headers.get("ce_image", origin.encode() if topic == IMAGES else b"").decode("utf-8", "replace")
    before = topic == EXAMPLES and _is_before(origin, deletion)
    return erased_headers() if before or _is_covered(image, deletion) else None


def _is_before(origin: str, deletion: Deletion) -> bool:
    try:
        partition, offset = Position.parse(origin)
    except ValueError:
        return False
    return partition == deletion.position.partition and offset < deletion.position.offset


def _is_covered(image: str, deletion: Deletion) -> bool:
    try:
        return deletion.covers(Position.parse(image))
    except ValueError:
        return False


_BY_TOPIC = {
    IMAGES: _redact_image,
    EXAMPLES: _redact_example,
    PREDICTIONS: _redact_prediction,
    DEAD_LETTERS: _redact_dead_letter,
}
