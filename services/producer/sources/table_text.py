"""The rows of a text file that people and programs call CSV: its encoding and its separator are found out."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from prequel.services.producer.sources.base import SourceError

LOOKED_AT = 100
_SEPARATORS = ",\t;|"
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

Row = tuple[int, list[str]]


def rows(file: Path) -> Iterator[Row]:
    """Every row that is not empty with its line's number, read as they are needed. Raises SourceError, OSError."""
    try:
        with file.open(encoding=_encoding(file), newline="") as lines:
            yield from _rows(file, lines)
    except UnicodeError:
        raise SourceError(f"{file} is not UTF-8 (or UTF-16 with its mark); save it as UTF-8 CSV") from None
    except csv.Error as error:
        raise SourceError(f"{file}: {error}; wanted columns path,label") from None


def _encoding(file: Path) -> str:
    with file.open("rb") as raw:
        begin = raw.read(4)
    if begin[1:2] == b"\0" or begin[:1] == b"\0":
        raise SourceError(f"{file} looks like UTF-16 without its mark (BOM); save it as UTF-8 CSV")
    return next((name for mark, name in _BOMS if begin.startswith(mark)), "utf-8")


def _rows(file: Path, lines: TextIO) -> Iterator[Row]:
    head = list(islice(lines, LOOKED_AT))
    reader = csv.reader(chain(head, lines), delimiter=_separator(head), skipinitialspace=True)
    for row in reader:
        if any(len(cell.splitlines()) > 1 for cell in row):
            raise SourceError(
                f'{file} line {reader.line_num}: a value goes over several lines: is there a quote (") too many before?'
            )
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _separator(head: Sequence[str]) -> str:
    """The one that gives all of the first rows the same number of columns, more than one; else the first in use."""

    def widths(mark: str) -> list[int]:
        return [len(row) for row in csv.reader(head, delimiter=mark, skipinitialspace=True) if any(row)]

    used = [mark for mark in _SEPARATORS if any(mark in line for line in head)]
    even = [mark for mark in used if len(set(widths(mark))) == 1 and widths(mark)[0] > 1]
    return next(iter([*even, *(mark for mark in used if mark in head[0]), *used]), ",")
