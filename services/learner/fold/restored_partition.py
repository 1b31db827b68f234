"""The fold of a partition from a snapshot: the inverse of ``Fold.parts``."""

from collections.abc import Callable

from prequel.services.learner.fold.config_history import ConfigHistory
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.partition_parts import PARTITION_KEY
from prequel.services.learner.fold.stream_parts import read_stream, stored_stream
from prequel.services.learner.snapshots.blobs import unpack
from prequel.services.learner.snapshots.envelope import Envelope
from prequel.services.learner.snapshots.root import Root


def restore_fold(
    root: Root,
    read_part: Callable[[str], bytes],
    envelope: Envelope,
    *,
    registry: ModelRegistry,
    cache: FeatureCache,
) -> Fold:
    """The state that a snapshot stands for; ``read_part`` gives the bytes at an address.

    Blocks while parts are read. Raises ValueError where a part is missing, damaged or signed with another key,
    UnknownModel for a model that this Prequel cannot make, StoreUnavailable.
    """
    history = ConfigHistory.from_rows(root.defaults)
    fold = Fold(history.current.config, registry, cache, position=root.offset, partitions=root.partitions)
    fold.history, fold.last_record = history, root.last
    for name, address in root.streams.items():
        head = read_part(address)
        if name == PARTITION_KEY:
            own = unpack(head)[0]
            fold.orphan_labels.load(own["early"])
            fold.relocations.load(own["moves"])
            fold.commands.load(own)
            continue
        fold.streams[name] = read_stream(head, read_part, envelope.open, registry=registry)
        if (stored := stored_stream(head)) is not None:
            fold.stored[name] = stored
    fold.capacity.load(root.refused)
    return fold
