"""Records in another partition than their key's: which they are, and which relocated ones were folded before."""

from collections.abc import Sequence
from functools import lru_cache

from prequel.shared.events.names import valid_stream
from prequel.shared.log.base import Message, Position, Record
from prequel.shared.log.partitioner import partition_for

ORIGIN_HEADER = "ce_moved"
"""The header that a relocated record has beside its own: where it came from, ``partition:offset``."""
CACHED_KEYS = 4_096
"""Hashing a key costs a tenth of folding its record; few keys occur, each in very many records. A stream's name is at
most some hundred bytes, so that ten times as many would cost little, but no partition has so many streams."""


class Relocations:
    """For one partition of ``partitions``. The newest offset folded from each other partition is part of the state.

    Whoever relocates records does so in the log's order, and again from an earlier one after a crash: so what is not
    above the newest offset folded from its origin is a copy.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._newest: dict[int, int] = {}

    def sort(self, records: Sequence[Record]) -> tuple[list[Record], list[Record], int]:
        """The records to fold here, those of other partitions, and how many are copies of records folded before."""
        if self._partitions == 1:
            return list(records), [], 0
        here: list[Record] = []
        misplaced: list[Record] = []
        for record in records:
            if self._is_misplaced(record):
                misplaced.append(record)
            elif not self._is_copy(record):
                here.append(record)
        return here, misplaced, len(records) - len(here) - len(misplaced)

    def _is_misplaced(self, record: Record) -> bool:
        """Whether the record belongs to another partition.

        One that was relocated to this one stays, or two learners with different ideas of the partitions would send it
        to each other for ever.
        """
        if not record.key:
            return False
        return _home(record.key, self._partitions) not in (None, record.partition) and self._origin(record) is None

    def _is_copy(self, record: Record) -> bool:
        """Whether it was relocated to this partition and folded before; if not, remember that it is now."""
        origin = self._origin(record)
        if origin is None:
            return False
        if origin.offset <= self._newest.get(origin.partition, -1):
            return True
        self._newest[origin.partition] = origin.offset
        return False

    def rows(self) -> list[list[int]]:
        """As a snapshot stores them; ``load`` is the inverse."""
        return sorted([partition, offset] for partition, offset in self._newest.items())

    def load(self, rows: list[list[int]]) -> None:
        """The inverse of ``rows``."""
        self._newest = {row[0]: row[1] for row in rows}

    def _origin(self, record: Record) -> Position | None:
        """Where it was relocated from; None where it was not, or where no record can come from."""
        for name, value in record.headers:
            if name == ORIGIN_HEADER:
                return _parse_origin(value, record.partition, self._partitions)
        return None


def relocate(record: Record) -> Message:
    """The record as a message to its key's partition: unchanged, and with its origin."""
    origin = str(Position(record.partition, record.offset)).encode()
    headers = [pair for pair in record.headers if pair[0] != ORIGIN_HEADER]
    return Message(record.topic, record.key, record.value, (*headers, (ORIGIN_HEADER, origin)))


def _parse_origin(value: bytes, partition: int, partitions: int) -> Position | None:
    try:
        origin = Position.parse(value.decode("ascii"))
    except ValueError:
        return None
    return origin if origin.partition < partitions and origin.partition != partition else None


@lru_cache(CACHED_KEYS)
def _home(key: bytes, partitions: int) -> int | None:
    """The partition of a stream's records; None for a key that is no stream's name: it is rejected where it is."""
    try:
        return partition_for(key, partitions) if valid_stream(key.decode()) else None
    except UnicodeDecodeError:
        return None
