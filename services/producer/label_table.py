"""A CSV file of labels for images that a stream has: which image, by its id or its file, gets which label."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from prequel.services.producer.errors import SourceError
from prequel.services.producer.sources.columns import LABEL_NAMES, PATH_NAMES
from prequel.services.producer.sources.paths import find_file, readings
from prequel.services.producer.sources.table_text import NumberedRow, read_rows
from prequel.shared.events.fields import MAX_AUTHOR
from prequel.shared.events.images import content_digest
from prequel.shared.events.names import (
    ID_RULE,
    LABEL_RULE,
    WHY_RULE,
    normal_label,
    valid_id,
    valid_label,
    valid_why,
)

STANDARD_INPUT = "-"
HEADER_HELP = "its first line must name its columns: id or file, label, and perhaps by and why (id,label)"

_NAMES = {
    "id": frozenset(("id", "image_id")),
    "file": PATH_NAMES - {"image_id"},
    "label": LABEL_NAMES,
    "by": frozenset(("by",)),
    "why": frozenset(("why",)),
}
"""Of each field, the names that its column may have, in small letters."""


class LabelRow(NamedTuple):
    """One label to be sent, and the line that it stands on; None retracts."""

    line: int
    id: str
    label: str | None
    by: str
    why: str


class RowProblem(NamedTuple):
    """A row that cannot be sent, or whose label had no effect, and why."""

    line: int
    reason: str


class LabelTable(NamedTuple):
    """The labels of a file, in its order. ``empty`` counts rows without a label, of which nothing is sent."""

    name: str
    rows: list[LabelRow]
    bad: list[RowProblem]
    empty: int

    @property
    def labels(self) -> set[str]:
        """The classes in it."""
        return {row.label for row in self.rows if row.label is not None}


class LabelFormat(NamedTuple):
    """How rows are read: who gives the labels, and why, where a row does not say; whether an empty label retracts.

    ``folders`` are where the files of a column ``file`` lie.
    """

    by: str
    why: str
    folders: Sequence[Path] = ()
    retract_empty: bool = False


def load_labels(file: str, format: LabelFormat) -> LabelTable:
    """The labels in a file, or on standard input (``-``): all of them in memory, some 300 bytes each.

    Files that rows name lie in the format's folders, else beside this file, else in the working directory. Blocks:
    reads every such file for its id. Raises SourceError where the file is no such table.
    """
    try:
        if file == STANDARD_INPUT:
            with open(0, "rb", closefd=False) as raw:
                return read_labels(raw, "standard input", format._replace(folders=(*format.folders, Path())))
        path = Path(file).expanduser()
        with path.open("rb") as raw:
            return read_labels(raw, file, format._replace(folders=(*format.folders, path.parent, Path())))
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}; give an existing file as --csv FILE, or -") from None


def read_labels(raw: BufferedReader, name: str, format: LabelFormat) -> LabelTable:
    """The labels in an open file; ``name`` is for messages. Raises SourceError where it is no such table."""
    rows = read_rows(raw, name)
    header = _header(rows, name)
    reader = _RowReader(_columns(header, name), len(header), format)
    table = LabelTable(name, [], [], 0)
    for line, row in rows:
        try:
            if read := reader.read(line, row):
                table.rows.append(read)
        except SourceError as error:
            table.bad.append(RowProblem(line, str(error)))
    return table._replace(empty=reader.empty)


def _header(rows: Iterator[NumberedRow], name: str) -> list[str]:
    """The cells of the first line, as they are written."""
    first = next(rows, None)
    if first and first[1][0].strip().lower().startswith("sep="):  # Excel's own line, which only names the separator
        first = next(rows, None)
    if first is None:
        raise SourceError(f"{name} is empty; {HEADER_HELP}")
    return first[1]


def _columns(header: Sequence[str], name: str) -> dict[str, int]:
    """The column of each field that the header has."""
    names = [cell.strip().lower() for cell in header]
    columns: dict[str, int] = {}
    for number, cell in enumerate(names):
        for field in (field for field, names in _NAMES.items() if cell in names):
            if field in columns:
                raise SourceError(f"{name} has two columns for {field}: {names[columns[field]]} and {cell}")
            columns[field] = number
    if "label" not in columns or not {"id", "file"} & columns.keys():
        shown = ", ".join(cell[:40] for cell in header)
        raise SourceError(f"{name} begins with {shown}; {HEADER_HELP}")
    return columns


class _RowReader:
    """Reads rows of ``width`` columns one after the other; one image may have one label only."""

    def __init__(self, columns: dict[str, int], width: int, format: LabelFormat) -> None:
        self._columns, self._width, self._format = columns, width, format
        self._first: dict[str, LabelRow] = {}
        self.empty = 0

    def read(self, line: int, row: Sequence[str]) -> LabelRow | None:
        """The label of a row, None where it has none. Raises SourceError where it cannot be sent."""
        if any(cell.strip() for cell in row[self._width :]):
            widths = f"it has {len(row)} columns, the header {self._width}"
            raise SourceError(f"{widths}: put a label that contains the separator in quotes")
        text = self._cell(row, "label")
        if not text and not self._format.retract_empty:
            self.empty += 1
            return None
        read = LabelRow(
            line,
            self._id(row),
            sys.intern(_checked(normal_label(text), valid_label, "label", LABEL_RULE)) if text else None,
            sys.intern(_checked(self._cell(row, "by") or self._format.by, _valid_author, "by", _AUTHOR_RULE)),
            sys.intern(_checked(self._cell(row, "why") or self._format.why, valid_why, "why", WHY_RULE)),
        )
        first = self._first.setdefault(read.id, read)
        if first.label != read.label:
            here = read.label or "none"
            raise SourceError(f"the image has the label {first.label or 'none'} on line {first.line}, {here} here")
        return None if first is not read else read

    def _id(self, row: Sequence[str]) -> str:
        if id := self._cell(row, "id"):
            return _checked(id, valid_id, "id", ID_RULE)
        if name := self._cell(row, "file"):
            return self._id_of_file(name)
        raise SourceError("it names no image")

    def _id_of_file(self, name: str) -> str:
        """The id that `prequel stream` gives the image in a file."""
        found: Iterable[Path | None] = (find_file(each, self._format.folders) for each in chain([name], readings(name)))
        path = next(filter(None, found), None)
        if path is None:
            folders = " or ".join(dict.fromkeys(str(folder) for folder in self._format.folders))
            raise SourceError(f"there is no file {name[:100]!r} in {folders} (--folder DIR)")
        try:
            return content_digest(path.read_bytes())
        except OSError as error:
            raise SourceError(f"{name[:100]!r}: {error.strerror}") from None

    def _cell(self, row: Sequence[str], field: str) -> str:
        column = self._columns.get(field, len(row))
        return row[column].strip() if column < len(row) else ""


_AUTHOR_RULE = f"at most {MAX_AUTHOR} characters"


def _valid_author(text: str) -> bool:
    return len(text) <= MAX_AUTHOR


def _checked(text: str, is_valid: Callable[[str], bool], field: str, rule: str) -> str:
    if not is_valid(text):
        raise SourceError(f"{text[:100]!r} is not a valid {field}: use {rule}")
    return text
