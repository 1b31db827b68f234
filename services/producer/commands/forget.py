"""The command `forget`: take images out of everything that was learned, as if they had never come."""

from collections.abc import Sequence

from prequel.services.producer.errors import WrongUsage
from prequel.services.producer.stream_changes import StreamChanges
from prequel.shared.events.names import ID_RULE, valid_id

MAX_IDS = 1_000
"""In one command; more are several."""
MAX_NAMED = 5


def forget_images(changes: StreamChanges, ids: Sequence[str]) -> int:
    """Name what will be forgotten, ask, and forget it; the exit code. Raises ProducerError."""
    for id in ids:
        if not valid_id(id):
            raise WrongUsage(f"{id[:150]!r} is not a valid image id: use {ID_RULE}")
    each = list(dict.fromkeys(ids))
    changes.status()
    named = ", ".join(each[:MAX_NAMED]) + (f" and {len(each) - MAX_NAMED:,} more" if len(each) > MAX_NAMED else "")
    images = "the image" if len(each) == 1 else f"{len(each):,} images"
    changes.confirmation.confirm_deletion(
        f"{changes.stream}: {images} with features, label and prediction will be forgotten: {named}",
        question="Forget them?" if len(each) > 1 else "Forget it?",
    )
    for start in range(0, len(each), MAX_IDS):
        some = each[start : start + MAX_IDS]
        changes.give("example.forget", f"{len(some):,} forgotten", ids=some)
    return 0
