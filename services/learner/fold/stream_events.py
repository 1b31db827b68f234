"""What features and labels do to the stream that they are for: the same in the live fold and in a replay."""

from prequel.services.learner.fold.batch import FoldBatch
from prequel.services.learner.fold.correction import apply_label
from prequel.services.learner.fold.new_examples import count_conflict
from prequel.services.learner.fold.outputs import Output
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.events.types import Features, Label


def apply_features(stream: StreamState, event: Features, batch: FoldBatch) -> None:
    """Have a new example predicted with the batch; count one that is known. Raises Rejected."""
    if event.reextracted and stream.models and event.backbone != stream.backbone:
        stream.note_other_features(event.backbone, event.vector.size)
        batch.noted.add(stream.name)
        return
    event = stream.names.translate(event)
    if batch.has_unpredicted(stream, event.id) or stream.knows(event.id):
        batch.flush(stream)
    stream.check_features(event.backbone, event.vector.size)
    if stream.knows(event.id):
        batch.count_duplicate(count_conflict(stream, event))
    else:
        batch.add(stream, event)


def apply_stream_label(stream: StreamState, event: Label, batch: FoldBatch) -> list[Output]:
    """What became of a label, once every example that came before it is predicted. Raises LogUnavailable."""
    batch.flush(stream)
    return apply_label(stream, stream.names.translate(event), batch.features)
