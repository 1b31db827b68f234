"""Where a learner begins with a partition: whether a snapshot is of this log, and the settings of an empty state."""

import logging
from collections.abc import Sequence
from contextlib import closing

from prequel.services.learner.fold.defaults import BUILT_IN, changed
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold, check_models, fingerprint_of
from prequel.services.learner.fold.stream import ModelTable
from prequel.services.learner.snapshots.snapshots import Root
from prequel.shared.config import ConfigError
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.erased import is_erased
from prequel.shared.events.types import DEFAULTS_TYPE, Defaults, Rejected
from prequel.shared.log.base import EXAMPLES, Log, LogUnavailable, Message, OffsetOutOfRange, Record
from prequel.shared.runtime.deadlines import REPLAY_POLL_S

SCANNED = 1_000
"""Records in one batch of the search for the first settings."""

_TYPE = ("ce_type", DEFAULTS_TYPE.encode())

logger = logging.getLogger(__name__)


def foreign(log: Log, partition: int, root: Root) -> str:
    """Why a snapshot and this log do not belong together; empty where they do. Raises LogUnavailable."""
    begin, end = log.bounds(EXAMPLES)[partition]
    if root.offset > end:
        return f"the log ends at {end} and has lost what came after"
    if root.offset < begin:
        return f"the log begins at {begin}, and the events between are lost"
    if not root.last or root.offset == begin:
        return ""
    record = log.read(EXAMPLES, partition, [root.offset - 1]).get(root.offset - 1)
    if record is not None and (fingerprint_of(record) == root.last or is_erased(record)):
        return ""  # of a record that was erased since, nobody can tell any more
    if record is None and log.bounds(EXAMPLES)[partition].begin >= root.offset:
        return ""  # retention took it meanwhile
    return f"the log has another record at {root.offset - 1} now: it had lost its end and went on differently"


def check_reach(partition: int, begin: int, roots: Sequence[Root], *, outdated: bool) -> None:
    """Raises ConfigError where the log does not reach back to where the state of the snapshots had begun."""
    since = min((root.defaults[0][0] for root in roots), default=0)
    if outdated and begin > since:
        raise ConfigError(
            f"examples:{partition}: its snapshots are of an older Prequel, which this one cannot read, and the log "
            f"begins at {begin}, so that what came before cannot be learned again. {_choices(partition)}"
        )
    if roots and begin > since:
        offsets = ", ".join(str(root.offset) for root in roots)
        raise ConfigError(
            f"examples:{partition}: none of its snapshots (at {offsets}) can be used, for the reasons in the learner's "
            f"log, and the log begins at {begin}, so that what came before cannot be learned again. "
            f"{_choices(partition)}"
        )
    if outdated:
        logger.warning("examples:%d is folded from the log: its snapshots are of an older Prequel", partition)
    elif begin > 0:
        logger.warning(
            "examples:%d is folded from %d on, the log's begin: no snapshot has what came before", partition, begin
        )


def _choices(partition: int) -> str:
    return (
        "Nothing was changed. Bring back the store or the log of a backup, or the Prequel and the keys that wrote the "
        "snapshots; or stop all learners and run `prequel rebuild`, which begins with what the log still has and gives "
        "up the rest"
    )


def overrules(ours: float, theirs: float, now: float) -> bool:
    """Whether the settings of a process that started at ``ours`` come after those of one that started at ``theirs``.

    A start in the future is a clock's that was wrong: it must not keep all others out until then.
    """
    return ours > theirs or theirs > now


def first_fold(log: Log, partition: int, mine: Message, table: ModelTable, cache: FeatureCache, *, write: bool) -> Fold:
    """The empty state at the log's begin, with the first settings that the log names, wherever they stand in it.

    Where it names none, ``mine`` hold, a record of settings; it is appended first unless nothing may be written. So
    whoever folds this log begins with the same settings. Blocks while the log is searched. Raises LogUnavailable, and
    ConfigError for a model that cannot be made.
    """
    begin = log.bounds(EXAMPLES)[partition].begin
    found = _first_defaults(log, partition, begin)
    if found is None and write:
        log.append([mine])
        found = _first_defaults(log, partition, begin)
    if found is None:
        found = _defaults(Record(EXAMPLES, partition, 0, None, mine.value, mine.headers, 0.0))
    assert found is not None, "our own settings are allowed"
    settings = changed(BUILT_IN, found)
    check_models(table, settings.models)
    partitions = log.partitions(EXAMPLES)
    return Fold(settings, table, cache, position=begin, started=found.started, partitions=partitions)


def _first_defaults(log: Log, partition: int, begin: int) -> Defaults | None:
    end = log.bounds(EXAMPLES)[partition].end
    with closing(log.follow(EXAMPLES, {partition: begin})) as reader:
        while reader.positions()[partition] < end:
            try:
                records = reader.poll(SCANNED, REPLAY_POLL_S)
            except OffsetOutOfRange as error:
                raise LogUnavailable(f"retention overtook the search for the first settings: {error}") from error
            for record in records:
                if found := _defaults(record):
                    return found
    return None


def _defaults(record: Record) -> Defaults | None:
    """The settings that a record names, where it names some that are allowed."""
    if _TYPE not in record.headers:
        return None
    try:
        event = decode_example(record)
        if isinstance(event, Defaults):
            changed(BUILT_IN, event)
            return event
    except Rejected:
        pass
    return None
