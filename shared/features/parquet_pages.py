"""Reads the numbers of a Parquet file as they lie in it, past the general decoder, which takes twice as long."""

import zlib
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.shared.features.base import Vectors

_HEADER_BYTES = 256
"""The most that a page's header is looked for in: one of numbers without statistics takes about 30."""
_DATA_PAGE, _PLAIN = 0, 0
"""Numbers of the format (parquet.thrift): a page of values of the first version; values as they are in memory."""
_TRUE, _FALSE, _I16, _I32, _I64, _STRUCT = 1, 2, 4, 5, 6, 12
"""Types of a field in Thrift's compact protocol; headers of such pages have no others."""


class Chunk(NamedTuple):
    """One column of one row group: where in the file it begins, its bytes, and how many float32 values it has."""

    begin: int
    size: int
    values: int


class _Page(NamedTuple):
    """What a page's header says: its own bytes, those of the page after it, how many values that has, and its CRC-32,
    None without one."""

    header: int
    size: int
    values: int
    checksum: int | None


def read_lists(file: IO[bytes], chunk: Chunk) -> Vectors | None:
    """The values, float32 [values], of a column of lists without nulls, not compressed; None where it is not of that
    form, and the general decoder has to read it.

    ``file`` is not buffered. Raises OSError where bytes are missing, or are not what was written.
    """
    shift = -chunk.size % 4  # The values end with the chunk: so they lie at whole float32s, and need not be copied.
    data = np.empty(shift + chunk.size, np.uint8)[shift:]
    _fill(file, chunk.begin, data)
    parts, begin, found = list[npt.NDArray[np.uint8]](), 0, 0
    while found < chunk.values:
        page = _page(data[begin : begin + _HEADER_BYTES].tobytes())
        if page is None:
            return None
        begin += page.header
        body = data[begin : begin + page.size]
        if not _is_whole(body, page):
            return None
        parts.append(body[page.size - 4 * page.values :])
        begin, found = begin + page.size, found + page.values
    if begin != chunk.size or found != chunk.values:
        return None
    return (parts[0] if len(parts) == 1 else np.concatenate(parts)).view("<f4")


def _fill(file: IO[bytes], begin: int, data: npt.NDArray[np.uint8]) -> None:
    file.seek(begin)
    view, done = data.data, 0
    while done < len(data):
        if not (got := file.readinto(view[done:])):  # type: ignore[attr-defined]  # A file that is not buffered has it.
            raise OSError("it is cut off")
        done += got


def _is_whole(body: npt.NDArray[np.uint8], page: _Page) -> bool:
    """Whether a page is the lengths of two levels, the levels, and then a value for each of its places.

    Raises OSError where its checksum is another.
    """
    if page.checksum is not None and zlib.crc32(body.data) != page.checksum:
        raise OSError("CRC checksum verification failed: a page is not what was written")
    place = 0
    for _ in range(2):  # How lists repeat, and which values are there.
        place += 4 + int.from_bytes(body[place : place + 4].tobytes(), "little")
    return len(body) == page.size == place + 4 * page.values


def _page(data: bytes) -> _Page | None:
    """A header; None for one of another kind of page, or of something else."""
    try:
        fields, length = _fields(data, 0)
    except (IndexError, ValueError):
        return None
    values, checksum = fields.get(5), fields.get(4)
    if fields.get(1) != _DATA_PAGE or not isinstance(values, dict) or values.get(2) != _PLAIN:
        return None
    size, count = fields.get(3), values.get(1)
    if not isinstance(size, int) or not isinstance(count, int) or count <= 0:
        return None
    return _Page(length, size, count, checksum % 2**32 if isinstance(checksum, int) else None)


def _fields(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """The fields of a struct by number, and where it ends. Raises IndexError, and ValueError for an unknown type."""
    fields, number = dict[int, Any](), 0
    while (head := data[at]) != 0:
        at, kind = at + 1, head & 15
        number += head >> 4
        if head < 16:
            number, at = _integer(data, at)
        if kind in (_TRUE, _FALSE):
            fields[number] = kind == _TRUE
        elif kind == _STRUCT:
            fields[number], at = _fields(data, at)
        elif kind in (_I16, _I32, _I64):
            fields[number], at = _integer(data, at)
        else:
            raise ValueError(f"a field of type {kind}")
    return fields, at + 1


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number in groups of seven bits, the lowest first, and where it ends."""
    value, shift = data[at] & 127, 7
    while data[at] > 127:
        at += 1
        value |= (data[at] & 127) << shift
        shift += 7
    return (value >> 1) ^ -(value & 1), at + 1
