"""What is left of a record when its stream was deleted: what the fold of the partition's other streams needs of it."""

from prequel.services.learner.fold.commands import Deletion
from prequel.services.learner.fold.early_labels import id_digest
from prequel.services.learner.fold.moves import MOVED
from prequel.shared.events.decoding import decode_example, decode_prediction_event
from prequel.shared.events.erased import erased_headers
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Applied, Command, Defaults, Erased, Features, Label, Rejected
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS, Headers, Position, Record


def left_of(record: Record, deletion: Deletion) -> Headers | None:
    """The headers that stay of a record of the deleted stream; None of one that is not of it, or came after."""
    return _BY_TOPIC[record.topic](record, deletion)


def _of_image(record: Record, deletion: Deletion) -> Headers | None:
    try:
        image = decode_image(record)
    except Rejected:
        return None
    ours = image.stream == deletion.stream and deletion.covers(image.position)
    return erased_headers(subject=deletion.stream) if ours else None


def _of_example(record: Record, deletion: Deletion) -> Headers | None:
    """Commands stay: they are the stream's history, and hold nothing of its images."""
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
    return _with_origin(record, _of_label(event)) if before else None


def _of_label(event: Label) -> Headers:
    return erased_headers(id=id_digest(event.id), retracts=str(event.label is None).lower())


def _with_origin(record: Record, headers: Headers) -> Headers:
    """A record that was moved here still tells which ones of its origin were."""
    return (*headers, *(pair for pair in record.headers if pair[0] == MOVED))


def _of_prediction(record: Record, deletion: Deletion) -> Headers | None:
    try:
        event = decode_prediction_event(record)
    except Rejected:
        return None
    partition, offset = deletion.position
    before = event.position.partition == partition and event.position.offset < offset
    ours = event.stream == deletion.stream and before and not isinstance(event, Applied)
    return erased_headers() if ours else None


def _of_dead_letter(record: Record, deletion: Deletion) -> Headers | None:
    headers = dict(record.headers)
    if deletion.stream.encode() not in (headers.get("ce_subject"), record.key):
        return None
    topic, _, origin = headers.get("ce_origin", b"").decode("utf-8", "replace").partition(":")
    image = headers.get("ce_image", origin.encode() if topic == IMAGES else b"").decode("utf-8", "replace")
    before = topic == EXAMPLES and _before(origin, deletion)
    return erased_headers() if before or _covered(image, deletion) else None


def _before(origin: str, deletion: Deletion) -> bool:
    try:
        partition, offset = Position.parse(origin)
    except ValueError:
        return False
    return partition == deletion.position.partition and offset < deletion.position.offset


def _covered(image: str, deletion: Deletion) -> bool:
    try:
        return deletion.covers(Position.parse(image))
    except ValueError:
        return False


_BY_TOPIC = {IMAGES: _of_image, EXAMPLES: _of_example, PREDICTIONS: _of_prediction, DEAD_LETTERS: _of_dead_letter}
