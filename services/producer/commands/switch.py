"""The command `switch`: let a stream learn from the features of another backbone, or list those that it may."""

from prequel.services.producer.errors import ProducerError
from prequel.services.producer.report import print_lines
from prequel.services.producer.stream_changes import StreamChanges, nearest
from prequel.services.producer.tables import aligned
from prequel.shared.backbone_specs import matches
from prequel.shared.status import StreamStatus


def switch_backbone(changes: StreamChanges, backbone: str | None) -> int:
    """List the backbones whose features the log has, or switch to one; the exit code. Raises ProducerError.

    Asks where images without such features would be left out.
    """
    status = changes.status()
    if backbone is None:
        print_lines(changes.console, *_table(status))
        return 0
    found = _require(status, backbone)
    # As many as there are features: an image that was extracted twice counts twice, so it may be more of them.
    missing = status.images - status.other_features[found]
    if missing > 0:
        changes.confirmation.confirm_deletion(
            f"{status.stream}: at least {missing:,} of {status.images:,} images have no features of {found} and "
            f"will be left out; prequel reextract {status.stream} --backbone {found} makes them",
            question="Switch without them?",
        )
    return changes.give("stream.switch", f"it learns from {found}", backbone=found)


def _require(status: StreamStatus, backbone: str) -> str:
    """The id of the backbone that is meant. Raises ProducerError."""
    found = [id for id in status.other_features if matches(backbone, id)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ProducerError(f"{backbone} is the beginning of several: name one of {', '.join(found)}")
    if matches(backbone, status.backbone):
        raise ProducerError(f"{status.stream} learns from {status.backbone} already")
    raise ProducerError(
        f"the log has no features of {backbone}{nearest(backbone, status.other_features)} for {status.stream}; "
        f"prequel reextract {status.stream} --backbone {backbone} makes them"
    )


def _table(status: StreamStatus) -> list[str]:
    rows = [["backbone", "features", ""], [status.backbone, f"{status.images:,}", "learns from it"]]
    rows += [[backbone, f"{count:,}", ""] for backbone, count in status.other_features.items()]
    return aligned(rows, right=range(1, 2))
