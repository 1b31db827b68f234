"""Repairs files with a fault that viewers ignore, so that a strict decoder reads what is there."""

import re
import struct
import zlib
from typing import NamedTuple

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_END = b"\xff\xd9"
_SIDE_SEGMENTS = frozenset((*range(0xE2, 0xEE), 0xEF, 0xFE))
"""Application segments and comments, which may be left out. JFIF and Adobe (colours) and Exif (orientation) may not."""
_SHORTEST = {0xE0: 16, 0xEE: 14}
"""Segments of JFIF and Adobe that are shorter have no meaning, and make the decoder fail."""

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT")
_PNG_STRICT = (b"IHDR", b"PLTE")
"""Chunks whose wrong checksum is left as it is: with one, viewers show nothing either."""


class Repaired(NamedTuple):
    """The repaired file, and whether the original was ``truncated``."""

    data: bytes
    truncated: bool


def repair(data: bytes, format: str) -> Repaired:
    """The file with its structure in order and an end, as far as its bytes go. The pixels are not looked at."""
    if format == "JPEG":
        return _jpeg(data)
    if format == "PNG":
        return _png(data)
    return Repaired(data, False)


def _jpeg(data: bytes) -> Repaired:
    """Without segments that pixels do not depend on, without an incomplete one, and with an end marker."""
    parts, place = [data[:2]], 2
    while marker := _MARKER.search(data, place):
        kind, start = data[marker.start() + 1], marker.start()
        if kind == _END[1]:
            return Repaired(b"".join((*parts, data[place : marker.end()])), False)
        length = int.from_bytes(data[marker.end() : marker.end() + 2])
        after = marker.end() + length
        parts.append(data[place:start])
        if length < 2 or after > len(data):
            return Repaired(b"".join((*parts, _END)), True)
        if kind not in _SIDE_SEGMENTS and length >= _SHORTEST.get(kind, 2):
            parts.append(data[start:after])
        place = after
    return Repaired(b"".join((*parts, data[place:], _END)), True)


def _png(data: bytes) -> Repaired:
    """Only the chunks that pixels depend on, with right checksums, and an end."""
    chunks, place = [_PNG_MAGIC], len(_PNG_MAGIC)
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        checksum = data[place + 8 + length : place + 12 + length]
        if kind in _PNG_NEEDED and (kind != b"tRNS" or _transparency_fits(length, data)):
            chunks.append(_chunk(kind, body, checksum))
        if kind == b"IEND":
            break
        place += 12 + length
    return Repaired(b"".join((*chunks, _chunk(b"IEND", b""))), False)


def _transparency_fits(length: int, data: bytes) -> bool:
    """Whether the transparency is as long as the colour type (byte 25 of the file) requires."""
    return length in {0: (2,), 2: (6,), 3: range(1, 257)}.get(data[25], ())


def _chunk(kind: bytes, body: bytes, checksum: bytes = b"") -> bytes:
    """Length, kind, body and the right checksum; for a strict kind the ``checksum`` of the original."""
    right = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + (checksum if kind in _PNG_STRICT else right)
