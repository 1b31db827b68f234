"""`prequel.read`: what a log holds, as rows, without a gateway and while the system runs."""

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Literal

from prequel.services.learner.exports.current_stream import CurrentStream, check_not_deleted, read_stream
from prequel.services.learner.replay.jobs.base import JobContext
from prequel.services.library.event_rows import EVENTS, event_pieces
from prequel.services.library.opened_log import log_settings, opened_log
from prequel.services.library.rows import Rows
from prequel.services.library.stream_names import one_stream, stream_names
from prequel.services.library.stream_tables import TABLES
from prequel.services.producer.report import check_stream
from prequel.shared.config import ConfigError, Settings
from prequel.shared.exports import ExportFailed
from prequel.shared.log.base import TOPICS
from prequel.shared.tables.base import Row

What = Literal["labels", "predictions", "features", "events"]


def read(
    log: str | PathLike[str] | None = None,
    *,
    stream: str | None = None,
    what: What = "labels",
    topics: Sequence[str] = TOPICS,
    settings: Mapping[str, object] | None = None,
) -> Rows:
    """What a stream has learned from, or every event of a log.

    ``log`` is the folder of `prequel up` (``--data``) or a file of its log, or `kafka://host:9092`; None is the log of
    the settings (``PREQUEL_...``), and ``settings`` are others by name (``{"kafka_username": ...}``). It is only read,
    and the system may be running: a pass reads what is there when it begins.

    ``labels`` (id, label, by, why, at, image), ``predictions`` (then and now) and ``features`` are what `prequel
    export` gives: with every correction, renaming and forgetting applied. ``stream`` may be left out where there is one
    only. ``events`` are the records as they are: topic, position, type, stream, id, time, label, by, why, data; of all
    streams unless ``stream`` names one, and of these ``topics``. Blocks. Raises PrequelError.

    >>> frame = prequel.read(data, stream="colours").to_pandas()
    >>> frame.label.value_counts().to_dict()
    {'red': 4, 'green': 4, 'blue': 4}
    """
    chosen = log_settings(log, settings or {})
    if what == "events":
        return _events(chosen, stream, topics)
    if what not in TABLES:
        raise ConfigError(f"what={what!r} cannot be read: choose labels, predictions, features or events")
    with opened_log(chosen) as context:
        name = one_stream(context) if stream is None else stream
        check_stream(name)
        current = _current(context, name)
        table = TABLES[what](current)
        complete = current.head.complete

    def pieces() -> Iterator[Sequence[Row]]:
        with opened_log(chosen) as context:
            current = _current(context, name)
            yield from table.rows(current)
            check_not_deleted(current)

    return Rows(table.fields, pieces, title=f"{what} of {name}", complete=complete)


def _events(settings: Settings, stream: str | None, topics: Sequence[str]) -> Rows:
    """Raises ConfigError, WrongUsage, LogUnavailable; a pass ExportFailed where no event is of the stream."""
    if unknown := sorted(set(topics) - set(TOPICS)):
        raise ConfigError(f"topics={list(topics)}: there is no topic {unknown[0]}: choose from {', '.join(TOPICS)}")
    if stream is not None:
        check_stream(stream)

    def pieces() -> Iterator[Sequence[Row]]:
        found = False
        with opened_log(settings) as context:
            for rows in event_pieces(context.log, topics, stream):
                found = found or bool(rows)
                yield rows
            if stream is not None and not found:
                raise _unknown(context, stream)

    with opened_log(settings) as context:
        complete = all(bounds.begin == 0 for topic in topics for bounds in context.log.bounds(topic).values())
    of = f" of {stream}" if stream else ""
    return Rows(EVENTS, pieces, title=f"events{of} in {', '.join(topics)}", complete=complete)


def _current(context: JobContext, stream: str) -> CurrentStream:
    """Raises ExportFailed, which names the streams that there are."""
    try:
        return read_stream(context, stream)
    except ExportFailed as error:
        if error.status != 404:
            raise
        raise _unknown(context, stream) from None


def _unknown(context: JobContext, stream: str) -> ExportFailed:
    names = stream_names(context)
    there = f"the log has {', '.join(names)}" if names else "the log has no stream yet"
    return ExportFailed(f"there is no stream {stream}: {there}", 404)
