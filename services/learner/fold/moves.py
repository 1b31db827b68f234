"""Records in another partition than their key's: which they are, and which of those moved here were taken already."""

from functools import lru_cache

from prequel.shared.events.names import valid_stream
from prequel.shared.log.base import Message, Position, Record
from prequel.shared.log.partitioner import partition_for

MOVED = "ce_moved"
"""The header that a moved record has beside its own: where it came from, ``partition:offset``."""
KEPT_KEYS = 4_096
"""Hashing a key costs as much as a tenth of the fold of its record; few keys occur, each in very many records."""


class Moves:
    """For one partition of ``partitions``. The newest offset taken of each other partition is part of the state.

    Whoever moves records does so in the log's order, and again from an earlier one after a crash: so what is not above
    the newest offset taken of its origin is a copy.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._taken: dict[int, int] = {}

    @property
    def possible(self) -> bool:
        """Whether there is another partition at all."""
        return self._partitions > 1

    def misplaced(self, record: Record) -> bool:
        """Whether it belongs to another partition. One that was moved here stays: no two learners play ball with it."""
        if self._partitions == 1 or not record.key:
            return False
        return _home(record.key, self._partitions) not in (None, record.partition) and self._origin(record) is None

    def repeated(self, record: Record) -> bool:
        """Whether it was moved here and is here already; if not, remember that it is now."""
        origin = self._origin(record) if self._partitions > 1 else None
        if origin is None:
            return False
        if origin.offset <= self._taken.get(origin.partition, -1):
            return True
        self._taken[origin.partition] = origin.offset
        return False

    def rows(self) -> list[list[int]]:
        return sorted([partition, offset] for partition, offset in self._taken.items())

    def load(self, rows: list[list[int]]) -> None:
        """The inverse of ``rows``."""
        self._taken = {row[0]: row[1] for row in rows}

    def _origin(self, record: Record) -> Position | None:
        """Where it was moved from; None where it was not, or where nothing is moved from."""
        for name, value in record.headers:
            if name == MOVED:
                return _parsed(value, record.partition, self._partitions)
        return None


def moved(record: Record) -> Message:
    """The record on its way to its key's partition: unchanged, and with its origin."""
    origin = str(Position(record.partition, record.offset)).encode()
    headers = [pair for pair in record.headers if pair[0] != MOVED]
    return Message(record.topic, record.key, record.value, (*headers, (MOVED, origin)))


def _parsed(value: bytes, partition: int, partitions: int) -> Position | None:
    try:
        origin = Position.parse(value.decode("ascii"))
    except ValueError:
        return None
    return origin if origin.partition < partitions and origin.partition != partition else None


@lru_cache(KEPT_KEYS)
def _home(key: bytes, partitions: int) -> int | None:
    """The partition of a stream's records; None of a key that is no stream's, which is refused where it is."""
    try:
        return partition_for(key, partitions) if valid_stream(key.decode()) else None
    except UnicodeDecodeError:
        return None
