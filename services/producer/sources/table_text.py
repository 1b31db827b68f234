"""The rows of a CSV file, whatever its encoding and its separator."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from io import BufferedReader, TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from prequel.services.producer.errors import SourceError

HEAD_ROWS = 100
"""The first rows decide separator and columns. Ten may all be of one class, or all without a label; all rows would have
to be read before the first image is sent."""

_SEPARATORS = ",\t;|"
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_TWO_LINES = ("\n", "\n")
"""Behind the last line: into a value whose quote is still open there, they put a line end, as any other line would."""
_OPEN_QUOTE = 'a quote (") that opens on this line is not closed on it: close it, and write every row on one line'

NumberedRow = tuple[int, list[str]]
"""The number of its line, from 1, and its cells."""


def rows(file: Path) -> Iterator[NumberedRow]:
    """Every row that is not empty, with the number of its line, read lazily. Raises SourceError, OSError."""
    with file.open("rb") as raw:
        yield from read_rows(raw, str(file))


def read_rows(raw: BufferedReader, name: str) -> Iterator[NumberedRow]:
    """The rows of a file, or of standard input, which cannot be read twice; ``name`` is for messages.

    The file stays open. Raises SourceError, OSError.
    """
    lines = TextIOWrapper(raw, encoding=_encoding(raw, name), newline="")
    try:
        yield from _rows(name, lines)
    except UnicodeError:
        raise SourceError(f"{name} is not UTF-8, nor UTF-16 with a byte order mark: save it as UTF-8 CSV") from None
    finally:
        if not raw.closed:  # A reader that stopped early may have closed it before this generator.
            lines.detach()  # or it would close the file


def _encoding(raw: BufferedReader, name: str) -> str:
    begin = raw.peek(4)[:4]
    if begin[1:2] == b"\0" or begin[:1] == b"\0":
        raise SourceError(f"{name} looks like UTF-16 without a byte order mark: save it as UTF-8 CSV")
    return next((name for mark, name in _BOMS if begin.startswith(mark)), "utf-8")


def _rows(file: str, lines: TextIO) -> Iterator[NumberedRow]:
    head = list(islice(lines, HEAD_ROWS))
    reader = csv.reader(chain(head, lines, _TWO_LINES), delimiter=_separator(head), skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if any("\n" in cell or "\r" in cell for cell in row):
                raise SourceError(f"{file} line {line}: {_OPEN_QUOTE}")
            if any(cell.strip() for cell in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error:  # The limit is the only one that this reader has.
        limit = csv.field_size_limit()
        raise SourceError(f"{file} line {line}: a value has more than {limit:,} characters, or {_OPEN_QUOTE}") from None


def _separator(head: Sequence[str]) -> str:
    """The one that gives all of the first rows the same number of columns, more than one; else the first in use."""

    def widths(separator: str) -> list[int]:
        try:
            return [len(row) for row in csv.reader(head, delimiter=separator, skipinitialspace=True) if any(row)]
        except csv.Error:  # Told when the rows are read, with the line.
            return []

    used = [separator for separator in _SEPARATORS if any(separator in line for line in head)]
    consistent = [separator for separator in used if len(set(widths(separator))) == 1 and widths(separator)[0] > 1]
    in_first_line = [separator for separator in used if separator in head[0]]
    return next(iter([*consistent, *in_first_line, *used]), ",")
