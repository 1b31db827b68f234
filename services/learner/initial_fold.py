"""The fold of a partition without a snapshot: empty, at the log's beginning, with the first settings in the log."""

from prequel.services.learner.fold.config import BUILT_IN_CONFIG, with_defaults
from prequel.services.learner.fold.config_changes import check_models
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.log_range import read_range
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.partition import Fold
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import DEFAULTS_TYPE, Defaults, Rejected
from prequel.shared.log.base import EXAMPLES, Log, Message, Record

SEARCH_BATCH_RECORDS = 1_000
"""Records in one batch of the search for the first settings: few of them are decoded, so more than a fold takes."""

_TYPE = ("ce_type", DEFAULTS_TYPE.encode())


def initial_fold(
    log: Log, partition: int, own: Message, *, registry: ModelRegistry, cache: FeatureCache, write: bool
) -> Fold:
    """The empty state at the log's begin, with the first settings that the log names, wherever they stand in it.

    Where it names none, ``own`` hold, a record of settings; it is appended first unless nothing may be written. So
    whoever folds this log begins with the same settings. Blocks while the log is searched. Raises LogUnavailable, and
    ConfigError for a model that cannot be made.
    """
    begin = log.bounds(EXAMPLES)[partition].begin
    first = _first_defaults(log, partition, begin)
    if first is None and write:
        log.append([own])
        first = _first_defaults(log, partition, begin)  # Another learner may have appended its own before this one.
    if first is None:
        first = _defaults(Record(EXAMPLES, partition, 0, None, own.value, own.headers, 0.0))
    assert first is not None, "a process's own settings are allowed"
    config = with_defaults(BUILT_IN_CONFIG, first)
    check_models(registry, config.models)
    partitions = log.partitions(EXAMPLES)
    return Fold(config, registry, cache, position=begin, started=first.started, partitions=partitions)


def _first_defaults(log: Log, partition: int, begin: int) -> Defaults | None:
    end = log.bounds(EXAMPLES)[partition].end
    for records in read_range(log, partition, begin, end, batch_records=SEARCH_BATCH_RECORDS):
        for record in records:
            if defaults := _defaults(record):
                return defaults
    return None


def _defaults(record: Record) -> Defaults | None:
    """The settings that a record names, where it names some that are allowed."""
    if _TYPE not in record.headers:
        return None
    try:
        event = decode_example(record)
        if isinstance(event, Defaults):
            with_defaults(BUILT_IN_CONFIG, event)
            return event
    except Rejected:
        pass
    return None
