"""A CSV file of image paths and labels."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from services.producer.sources import Entry, Item, SourceError, Survey, checked_label, is_image, read_item

PATH_COLUMNS = frozenset(("path", "file", "filename", "file_name", "image", "image_path"))
LABEL_COLUMNS = frozenset(("label", "class", "target"))
_LOOKED_AT = 100

Row = tuple[int, list[str]]


class Table:
    """The images that a CSV file lists, in its order; an empty label is none.

    Columns are path and label; a first row of such names may give them another order. Paths are relative to
    ``folder``, else to the CSV file's own.
    """

    def __init__(self, file: Path, folder: Path) -> None:
        self._file, self._folders = file, (folder, file.parent)

    def entries(self, survey: Survey) -> Iterator[Entry]:
        """Raises SourceError where the file is no such table, or none of its first 100 paths exists."""
        try:
            with self._file.open(encoding="utf-8-sig", newline="") as lines:
                yield from self._rows(lines, survey)
        except OSError as error:
            raise SourceError(f"{self._file}: {error.strerror}; give an existing file as --labels csv:FILE") from None
        except UnicodeDecodeError:
            raise SourceError(f"{self._file} is not UTF-8; save it as UTF-8 CSV") from None
        except csv.Error as error:
            raise SourceError(f"{self._file}: {error}; wanted columns path,label") from None

    def load(self, entry: Entry) -> Item:
        return read_item(self._path(entry.name), entry)

    def _rows(self, lines: Iterator[str], survey: Survey) -> Iterator[Entry]:
        first = next(lines, "")
        delimiter = next((mark for mark in "\t;," if mark in first), ",")
        reader = csv.reader(chain([first], lines), delimiter=delimiter)
        rows = ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
        head = list(islice(rows, _LOOKED_AT + 1))
        columns = _columns(head[0][1]) if head else None
        data = head[1:] if columns else head
        self._check_paths([row for _, row in data], columns or (0, 1))
        for number, row in chain(data, rows):
            yield from self._entry(number, row, columns or (0, 1), survey)

    def _entry(self, number: int, row: Sequence[str], columns: tuple[int, int], survey: Survey) -> Iterator[Entry]:
        where = f"{self._file} line {number}"
        if len(row) <= max(columns):
            raise SourceError(f"{where} has {len(row)} column{'s' * (len(row) != 1)}; wanted path,label")
        name, label = row[columns[0]].strip(), row[columns[1]].strip()
        if not is_image(Path(name).name):
            survey.ignored += 1
            return
        entry = Entry(name, checked_label(label, where) if label else None)
        survey.add(entry)
        yield entry

    def _check_paths(self, rows: Sequence[Sequence[str]], columns: tuple[int, int]) -> None:
        names = [row[columns[0]].strip() for row in rows[:_LOOKED_AT] if len(row) > columns[0]]
        if not any(_is_file(self._path(name)) for name in names):
            raise SourceError(
                f"{self._file}: none of its first {len(names)} paths exists below {self._folders[0]} "
                f"or {self._folders[1]}; wanted columns path,label with paths relative to one of them"
            )

    def _path(self, name: str) -> Path:
        candidates = [folder / name for folder in self._folders]
        return next((path for path in candidates if _is_file(path)), candidates[0])


def _is_file(path: Path) -> bool:
    """What cannot be looked at (too long a name, no permission) is none: its own error comes when it is read."""
    try:
        return path.is_file()
    except OSError:
        return False


def _columns(row: Sequence[str]) -> tuple[int, int] | None:
    """Where path and label stand, if the row is a header."""
    names = [cell.strip().lower() for cell in row]
    path = next((i for i, name in enumerate(names) if name in PATH_COLUMNS), None)
    label = next((i for i, name in enumerate(names) if name in LABEL_COLUMNS), None)
    return None if path is None or label is None else (path, label)
