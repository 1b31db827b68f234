"""Every event of a log as a row: what its headers and its JSON say of it, and its bytes."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from prequel.shared.events.fields import parse_body, parse_body_time, record_key
from prequel.shared.events.headers import read_headers, timestamp
from prequel.shared.events.types import FEATURES_TYPE, Rejected
from prequel.shared.log.base import DEAD_LETTERS, IMAGES, Log, Record
from prequel.shared.runtime.deadlines import REPLAY_POLL_S
from prequel.shared.tables.arrow import Field
from prequel.shared.tables.base import Row

READ_RECORDS = 500
"""Records of one poll: of features, some megabytes; the log bounds the bytes of images."""

EVENTS = (
    Field("topic", "category"),
    Field("position"),
    Field("type", "category"),
    Field("stream", "category"),
    Field("id"),
    Field("time", "time"),
    Field("label", "category"),
    Field("by", "category"),
    Field("why", "category"),
    Field("data", "bytes"),
)


def event_pieces(log: Log, topics: Sequence[str], stream: str | None) -> Iterator[list[Row]]:
    """Topic after topic, partition after partition, as far as each went when its reading began.

    Blocks. Raises LogUnavailable, OffsetOutOfRange where retention was faster.
    """
    for topic in topics:
        for partition in log.bounds(topic):
            for records in partition_records(log, topic, partition):
                rows = map(event_row, records)
                yield [row for row in rows if stream is None or row["stream"] == stream]


def partition_records(log: Log, topic: str, partition: int, begin: int = 0) -> Iterator[list[Record]]:
    """The records from offset ``begin`` on, or from the first one that there is. Blocks and raises as above."""
    first, end = log.bounds(topic)[partition]
    with closing(log.follow(topic, {partition: max(first, begin)})) as reader:
        while reader.positions()[partition] < end:
            records = reader.poll(READ_RECORDS, REPLAY_POLL_S)
            yield [record for record in records if record.offset < end]


def event_row(record: Record) -> Row:
    """One record; what it does not say is None. Nothing is refused: what cannot be read has its bytes all the same."""
    try:
        record, headers = read_headers(record)
    except Rejected:
        headers = {}
    body = _body(record, headers)
    own_id = f"{IMAGES}:{record.partition}:{record.offset}" if record.topic == IMAGES else None
    label = body.get("label", headers.get("ce_label"))
    return {
        "topic": record.topic,
        "position": f"{record.partition}:{record.offset}",
        "type": headers.get("ce_type"),
        "stream": _text(body.get("stream")) or headers.get("ce_subject") or record_key(record) or None,
        "id": _text(body.get("id") or headers.get("ce_id") or own_id),
        "time": datetime.fromisoformat(timestamp(parse_body_time(body, headers, record))),
        "label": _text(label),
        "by": _text(body.get("by")),
        "why": _text(body.get("why") or headers.get("ce_reason")),
        "data": record.value,
    }


def _body(record: Record, headers: dict[str, str]) -> dict[str, Any]:
    """The JSON of the events that are JSON; empty for pixels, numbers, and what is refused."""
    if record.topic in (IMAGES, DEAD_LETTERS) or headers.get("ce_type") == FEATURES_TYPE:
        return {}
    try:
        return parse_body(record.value)
    except Rejected:
        return {}


def _text(value: object) -> str | None:
    return value or None if isinstance(value, str) else None
