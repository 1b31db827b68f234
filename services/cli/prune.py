"""The work of `prune`: removes now what retention allows, and returns the free space of the log's files to the disk."""

import threading
import time
from collections.abc import Callable, Iterator
from random import random

from prequel.shared.config import Settings
from prequel.shared.log.base import TOPICS, Log, LogUnavailable
from prequel.shared.retention.pruning import PrunableLog, Pruner, PruneResult
from prequel.shared.retention.usage import log_needs, measure_log
from prequel.shared.runtime.deadlines import PRUNE_BACKOFF, PRUNE_BUSY_S
from prequel.shared.store.base import Store

PAUSE_FACTOR = 1.0
"""Pause after each step, as a multiple of the step's own time. Services on the same disk get half of its time;
less would slow them down noticeably, more would keep the user waiting."""

SLACK_BYTES = 2**20
"""Free space that stays in a file: with less, the next records would only make it grow again."""

OLD_FILE = "its file is of an earlier version: its free space is used again, but not returned to the disk"


def prune(
    log: Log, store: Store, settings: Settings, stop: threading.Event, *, clock: Callable[[], float]
) -> Iterator[str]:
    """Prune, and yield lines to be shown. A kill at any instant leaves the log intact.

    Blocks, for minutes where there is much to remove. Raises LogUnavailable and StoreUnavailable.
    """
    if not isinstance(log, PrunableLog):
        yield (
            f"{settings.log_url}: Kafka's brokers remove old records themselves, by each topic's retention.ms and "
            "retention.bytes; `prequel topics --check` shows them"
        )
        return
    pruner = Pruner(
        log,
        log_needs(log, store, settings),
        {topic: settings.retention_of(topic) for topic in TOPICS},
        clock=clock,
        timer=time.monotonic,
        pause_factor=PAUSE_FACTOR,
        slack=lambda usage: SLACK_BYTES,
    )
    removed = _remove_all(pruner, stop)
    for topic in TOPICS:
        if remark := _make_shrinkable(log, topic):
            yield f"{topic}: {remark}"
    for topic_usage in measure_log(log, store, settings, clock()).topics:
        yield f"{topic_usage.topic}: {removed[topic_usage.topic]:,} records removed; {topic_usage}"


def _remove_all(pruner: Pruner, stop: threading.Event) -> dict[str, int]:
    """Prune until there is nothing more to remove, or ``stop`` is set; the number of removed records by topic."""
    removed = dict.fromkeys(TOPICS, 0)
    while True:
        result = _one_pass(pruner, stop)
        removed = {topic: removed[topic] + count for topic, count in result.records.items()}
        if not result.unfinished or stop.wait(PRUNE_BACKOFF.pause(1, random())):
            return removed


def _one_pass(pruner: Pruner, stop: threading.Event) -> PruneResult:
    """Raises LogUnavailable where another process has the log's lock for too long."""
    deadline, tries = time.monotonic() + PRUNE_BUSY_S, 0
    while not (result := pruner.run(stop)).ran and not stop.wait(PRUNE_BACKOFF.pause(tries := tries + 1, random())):
        if time.monotonic() > deadline:
            raise LogUnavailable("another process prunes this log, or a rebuild reads it: try again when it has ended")
    return result


def _make_shrinkable(log: PrunableLog, topic: str) -> str:
    """Rewrite the file of an earlier version, once, so that it can shrink; a remark for the user, if there is one."""
    pruning = log.pruning(topic)
    if pruning.can_shrink():
        return ""
    try:
        pruning.rewrite()
    except LogUnavailable as error:
        return f"{OLD_FILE}; to change that, stop Prequel and prune again ({error})"
    return "its file was of an earlier version and has been rewritten: from now on it shrinks automatically"
