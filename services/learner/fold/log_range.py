"""Reads a part of a partition's ``examples`` from the log, in batches: for replays and searches."""

from collections.abc import Iterator
from contextlib import closing

from prequel.shared.log.base import EXAMPLES, Log, LogUnavailable, OffsetOutOfRange, Record
from prequel.shared.runtime.deadlines import REPLAY_POLL_S


def read_range(log: Log, partition: int, begin: int, end: int, *, batch_records: int) -> Iterator[list[Record]]:
    """The records from offset ``begin`` to before ``end``, at most ``batch_records`` in a batch.

    Blocks. Raises LogUnavailable, also where retention removes records before they are read: whoever reads them then
    starts again from where the log begins now.
    """
    with closing(log.follow(EXAMPLES, {partition: begin})) as reader:
        while reader.positions()[partition] < end:
            try:
                records = reader.poll(batch_records, REPLAY_POLL_S)
            except OffsetOutOfRange as error:
                raise LogUnavailable(f"retention removed records before they were read: {error}") from error
            yield [record for record in records if record.offset < end]
