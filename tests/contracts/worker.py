"""Another process of the contract tests: opens the log or store under test, does one job, prints each step.

``python -m tests.contracts.worker SOURCE JOB ARGUMENTS``: SOURCE is Python that binds ``log`` or ``store``; ARGUMENTS a
JSON list, so jobs take positional arguments. Every job runs until it is done or killed.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from prequel.shared.log.base import Log, Message
from prequel.shared.retention.pruning import PrunableLog
from prequel.shared.store.base import Fence, Store


def report(*values: object) -> None:
    print(json.dumps(values), flush=True)


def append(log: Log, topic: str, name: str, count: int, batch: int, size: int) -> None:
    """Append ``count`` records in batches and print the number of each batch's last record once it is acknowledged."""
    for first in range(0, count, batch):
        numbers = range(first, min(first + batch, count))
        log.append([Message(topic, b"key", b"%s:%d:" % (name.encode(), n) + bytes(size)) for n in numbers])
        report(numbers[-1])


def follow(log: Log, topic: str, count: int) -> None:
    """Read partition 0 from its beginning and print each record's offset and the beginning of its value."""
    reader = log.follow(topic, {0: log.bounds(topic)[0].begin})
    report("ready")
    while count > 0:
        for record in reader.poll(100, 1.0):
            report(record.offset, record.value.rstrip(b"\0").decode())
            count -= 1


def member(log: Log, topic: str, group: str) -> None:
    """Be a group member for ever; print every change of ownership."""
    member = log.join(group, topic)
    while True:
        polled = member.poll(100, 0.1)
        if polled.assigned or polled.revoked:
            report(polled.assigned, polled.revoked, polled.generation)
        for partition in polled.assigned:
            member.seek(partition, log.bounds(topic)[partition].begin)


def snapshots(store: Store, key: str) -> None:
    """Replace a root and the blob it names for ever, as a learner does; print the number of each once it is written."""
    fence = Fence(0, 1, "worker")
    store.acquire(key, fence)
    number = 0
    while True:
        store.put(f"{key}/blob/{number + 1}", b"%d" % (number + 1) * 1000)
        store.swap(key, fence, b"%d" % (number + 1), delete=[f"{key}/blob/{number}"])
        number += 1
        report(number)


def prune(log: Log, topic: str, before: int) -> None:
    """Remove the records below ``before`` of the embedded log for ever, in small steps; print each."""
    assert isinstance(log, PrunableLog)
    with log.pruning_lock():
        while True:
            report(log.pruning(topic).delete_oldest(0, before, max_bytes=200_000), log.pruning(topic).shrink(0))


JOBS: dict[str, Callable[..., None]] = {
    "append": append,
    "follow": follow,
    "member": member,
    "prune": prune,
    "snapshots": snapshots,
}


def main(source: str, job: str, arguments: str) -> None:
    names: dict[str, Any] = {}
    exec(source, names)
    JOBS[job](names.get("log", names.get("store")), *json.loads(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
