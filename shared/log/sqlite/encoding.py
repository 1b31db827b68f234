"""How messages stand in the embedded log's tables: one row each, the headers packed into one blob."""

import json
import struct
from functools import lru_cache
from typing import Any, NamedTuple

from prequel.shared.log.base import Headers, LogUnavailable, Record

HEADER_NAMES_CACHED = 1024
"""Few sets of header names occur, each in very many records: parsing them again would take most of the time of
reading. Clients that send ever new names only push each other out."""


class EncodedMessage(NamedTuple):
    """A message ready to be inserted; ``partition`` None: into the one with the fewest records."""

    partition: int | None
    key: bytes | None
    headers: bytes
    value: bytes

    @property
    def size(self) -> int:
        """Bytes of key, headers and value."""
        return len(self.key or b"") + len(self.headers) + len(self.value)


def to_record(topic: str, partition: int, row: Any) -> Record:
    """The record of a row of a partition's table. Raises LogUnavailable for damaged headers."""
    offset, appended_at, key, headers, value = row
    return Record(topic, partition, offset, key, value, unpack_headers(headers), appended_at)


def pack_headers(headers: Headers) -> bytes:
    """A line of names (JSON), a line of the values' lengths (a struct format), the values: any bytes in any order."""
    names, values = zip(*headers, strict=True) if headers else ((), ())
    lengths = "".join([f"{len(value)}s" for value in values])
    return b"%s\n%s\n%s" % (_dump_names(names), lengths.encode(), b"".join(values))


def unpack_headers(packed: bytes) -> Headers:
    """The inverse of ``pack_headers``; raises LogUnavailable for anything else."""
    try:
        names, lengths, values = packed.split(b"\n", 2)
        return tuple(zip(_load_names(names), struct.unpack(lengths, values), strict=True))
    except (ValueError, TypeError, struct.error) as error:
        raise LogUnavailable(f"a record's headers are damaged ({error}): restore the log from a backup") from error


@lru_cache(HEADER_NAMES_CACHED)
def _dump_names(names: tuple[str, ...]) -> bytes:
    return json.dumps(names).encode()


@lru_cache(HEADER_NAMES_CACHED)
def _load_names(names: bytes) -> tuple[str, ...]:
    return tuple(json.loads(names))
