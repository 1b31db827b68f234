"""Which streams a log has: by the newest snapshots, and the records since."""

from prequel.services.learner.replay.jobs.base import JobContext
from prequel.services.learner.snapshots.root import read_roots, root_key
from prequel.services.learner.snapshots.usability import log_mismatch
from prequel.services.library.event_rows import partition_records
from prequel.shared.config import ConfigError
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.names import valid_stream
from prequel.shared.events.types import Command, Features, Rejected
from prequel.shared.log.base import EXAMPLES, Record


def stream_names(context: JobContext) -> list[str]:
    """Sorted. Blocks; raises LogUnavailable, StoreUnavailable, ConfigError."""
    names = set[str]()
    for partition in context.log.bounds(EXAMPLES):
        roots = read_roots(context.store.get(root_key(partition)))
        root = next((root for root in roots if not log_mismatch(context.log, partition, root)), None)
        names |= set(root.streams) if root else set()
        for records in partition_records(context.log, EXAMPLES, partition, root.offset if root else 0):
            for record in records:
                _follow(record, names)
    return sorted(filter(valid_stream, names))


def one_stream(context: JobContext) -> str:
    """The only one that there is. Raises ConfigError where there is none, or several, and as above."""
    names = stream_names(context)
    if len(names) == 1:
        return names[0]
    if not names:
        raise ConfigError("the log has no stream yet: no image was processed")
    raise ConfigError(f"the log has several streams: name one of {', '.join(names)} as stream=")


def _follow(record: Record, names: set[str]) -> None:
    """What the record does to the streams that there are."""
    try:
        event = decode_example(record)
    except Rejected:
        return
    if isinstance(event, Features) or (isinstance(event, Command) and event.do == "stream.create"):
        names.add(event.stream)
    elif isinstance(event, Command) and event.do == "stream.delete":
        names.discard(event.stream)
