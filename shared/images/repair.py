"""Files with a fault that viewers overlook: written again without it, so that a strict decoder reads them."""

import re
import struct
import zlib
from typing import NamedTuple

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_END = b"\xff\xd9"
_SIDE_SEGMENTS = frozenset((*range(0xE2, 0xEE), 0xEF, 0xFE))
"""Application segments and comments; not JFIF (colours), Exif (orientation) and Adobe (colours)."""
_SHORTEST = {0xE0: 16, 0xEE: 14}
"""Segments of JFIF and Adobe that are shorter say nothing."""

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT")
_PNG_STRICT = (b"IHDR", b"PLTE")
"""A wrong checksum of these is not overlooked: viewers show nothing either."""


class Repaired(NamedTuple):
    """A file, and whether it had ended early."""

    data: bytes
    cut: bool


def repair(data: bytes, format: str) -> Repaired:
    """The file with its parts in order and an end, as far as its bytes go; the pixels are not looked at."""
    if format == "JPEG":
        return _jpeg(data)
    if format == "PNG":
        return _png(data)
    return Repaired(data, False)


def _jpeg(data: bytes) -> Repaired:
    """Without side segments, without a segment that is incomplete, and with an end marker."""
    kept, place = [data[:2]], 2
    while marker := _MARKER.search(data, place):
        kind, start = data[marker.start() + 1], marker.start()
        if kind == _END[1]:
            return Repaired(b"".join((*kept, data[place : marker.end()])), False)
        length = int.from_bytes(data[marker.end() : marker.end() + 2])
        after = marker.end() + length
        kept.append(data[place:start])
        if length < 2 or after > len(data):
            return Repaired(b"".join((*kept, _END)), True)
        if kind not in _SIDE_SEGMENTS and length >= _SHORTEST.get(kind, 2):
            kept.append(data[start:after])
        place = after
    return Repaired(b"".join((*kept, data[place:], _END)), True)


def _png(data: bytes) -> Repaired:
    """Only the chunks that pixels depend on, with right checksums, and an end."""
    kept, place = [_PNG_MAGIC], len(_PNG_MAGIC)
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        stored = data[place + 8 + length : place + 12 + length]
        if kind in _PNG_NEEDED and (kind != b"tRNS" or _fits(length, data)):
            kept.append(_chunk(kind, body, stored))
        if kind == b"IEND":
            break
        place += 12 + length
    return Repaired(b"".join((*kept, _chunk(b"IEND", b""))), False)


def _fits(length: int, data: bytes) -> bool:
    """Whether a chunk of transparency is as long as the colour type in the header of the file asks for."""
    return length in {0: (2,), 2: (6,), 3: range(1, 257)}.get(data[25], ())


def _chunk(kind: bytes, body: bytes, stored: bytes = b"") -> bytes:
    right = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + (stored if kind in _PNG_STRICT else right)
