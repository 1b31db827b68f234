"""The command `prune`: what retention lets go is removed at once, and the files give back all that is free."""

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
"""As long as a step took the disk is left to others: half of it, since somebody waits for the end."""

SLACK_BYTES = 2**20
"""What may stay free in a file: less, and records that come meanwhile would take back what was just given."""

KEPT_ROOM = "its file was made by an earlier Prequel, so what is free in it is used again, but not given back"


def prune(
    log: Log, store: Store, settings: Settings, stop: threading.Event, *, clock: Callable[[], float]
) -> Iterator[str]:
    """Lines to be shown. Raises LogUnavailable and StoreUnavailable; killed at any instant, the log is whole."""
    if not isinstance(log, PrunableLog):
        yield (
            f"{settings.log_url}: Kafka's brokers remove old records by themselves, by each topic's retention.ms and "
            "retention.bytes; `prequel topics --check` shows them"
        )
        return
    removed = _to_the_end(log, store, settings, stop, clock)
    for topic in TOPICS:
        if remark := _rewritten(log, topic):
            yield f"{topic}: {remark}"
    for each in measure_log(log, store, settings, clock()).topics:
        yield f"{each.topic}: {removed[each.topic]:,} records removed; {each}"


def _to_the_end(
    log: PrunableLog, store: Store, settings: Settings, stop: threading.Event, clock: Callable[[], float]
) -> dict[str, int]:
    pruner = Pruner(
        log,
        log_needs(log, store, settings),
        {topic: settings.retention_of(topic) for topic in TOPICS},
        clock=clock,
        timer=time.monotonic,
        pause_factor=PAUSE_FACTOR,
        slack=lambda usage: SLACK_BYTES,
    )
    removed = dict.fromkeys(TOPICS, 0)
    while True:
        pruned = _one_pass(pruner, stop)
        removed = {topic: removed[topic] + count for topic, count in pruned.records.items()}
        if not pruned.unfinished or stop.wait(PRUNE_BACKOFF.pause(1, random())):
            return removed


def _one_pass(pruner: Pruner, stop: threading.Event) -> PruneResult:
    """Raises LogUnavailable where somebody else has the log for too long."""
    deadline, tries = time.monotonic() + PRUNE_BUSY_S, 0
    while not (pruned := pruner.run(stop)).ran and not stop.wait(PRUNE_BACKOFF.pause(tries := tries + 1, random())):
        if time.monotonic() > deadline:
            raise LogUnavailable("another process prunes this log, or a rebuild reads it: try again when it has ended")
    return pruned


def _rewritten(log: PrunableLog, topic: str) -> str:
    """Files of earlier versions are written anew, once, as such that can shrink; what is to be said of it."""
    pruning = log.pruning(topic)
    if pruning.can_shrink():
        return ""
    try:
        pruning.rewrite()
    except LogUnavailable as error:
        return f"{KEPT_ROOM}; to change that, stop Prequel and prune once more ({error})"
    return "its file was made by an earlier Prequel and has been written anew: from now on it shrinks by itself"
