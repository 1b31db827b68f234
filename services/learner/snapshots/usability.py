"""Whether a snapshot can be used with this log and this topic, and whether the log can replace it."""

import logging
from collections.abc import Sequence

from prequel.services.learner.fold.record_digest import record_digest
from prequel.services.learner.snapshots.root import Root
from prequel.shared.config import ConfigError
from prequel.shared.events.erased import is_erased
from prequel.shared.log.base import EXAMPLES, Log

logger = logging.getLogger(__name__)


def log_mismatch(log: Log, partition: int, root: Root) -> str:
    """Why a snapshot and this log do not belong together; empty where they do. Blocks; raises LogUnavailable."""
    begin, end = log.bounds(EXAMPLES)[partition]
    if root.offset > end:
        return f"the log ends at {end} and has lost what came after"
    if root.offset < begin:
        return f"the log begins at {begin}, and the events between are lost"
    if not root.last or root.offset == begin:
        return ""
    record = log.read(EXAMPLES, partition, [root.offset - 1]).get(root.offset - 1)
    if record is not None and (record_digest(record) == root.last or is_erased(record)):
        return ""  # An erased record cannot be compared any more.
    if record is None and log.bounds(EXAMPLES)[partition].begin >= root.offset:
        return ""  # Retention removed it meanwhile.
    return f"the log has another record at {root.offset - 1} now: it had lost its end and went on differently"


def check_replayable(partition: int, begin: int, roots: Sequence[Root], *, outdated: bool) -> None:
    """Raises ConfigError where the log, which begins at ``begin``, does not reach back to where the snapshots began.

    None of ``roots`` could be used; ``outdated`` is whether there are snapshots of an older format.
    """
    since = min((root.defaults[0][0] for root in roots), default=0)
    if outdated and begin > since:
        raise ConfigError(
            f"examples:{partition}: its snapshots are of an older Prequel, which this one cannot read, and the log "
            f"begins at {begin}, so that what came before cannot be learned again. {_choices()}"
        )
    if roots and begin > since:
        offsets = ", ".join(str(root.offset) for root in roots)
        raise ConfigError(
            f"examples:{partition}: none of its snapshots (at {offsets}) can be used, for the reasons in the learner's "
            f"log, and the log begins at {begin}, so that what came before cannot be learned again. "
            f"{_choices()}"
        )
    if outdated:
        logger.warning("examples:%d is rebuilt from the log: its snapshots are of an older Prequel", partition)
    elif begin > 0:
        logger.warning(
            "examples:%d is rebuilt from %d on, where the log begins: no snapshot has what came before",
            partition,
            begin,
        )


def check_partition_count(before: int, now: int) -> None:
    """Raises ConfigError where the topic does not have as many partitions as when the snapshots were made."""
    if now != before:
        raise ConfigError(
            f"topic {EXAMPLES} has {now} partitions, its snapshots were made with {before}: new events of a stream "
            f"would come to another partition than its old ones. Create the topic again with {before} partitions and "
            "copy its records, each into its partition and in order; or start with new topics, an empty store and "
            "another PREQUEL_GROUP"
        )


def _choices() -> str:
    return (
        "Nothing was changed. Restore the store or the log from a backup, or the Prequel and the keys that wrote the "
        "snapshots; or stop all learners and run `prequel rebuild`, which starts with what the log still has and gives "
        "up the rest"
    )
