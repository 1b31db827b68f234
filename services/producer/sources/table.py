"""A CSV file of image paths and labels."""

import os
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path, PureWindowsPath

from prequel.services.producer.sources.base import (
    CONTENT_TYPES,
    Entry,
    Item,
    SourceError,
    Survey,
    checked_label,
    read_item,
)
from prequel.services.producer.sources.columns import Columns, columns, looks_like_image
from prequel.services.producer.sources.table_text import LOOKED_AT, rows

_QUOTES = "'\u2018\u2019\u201c\u201d`"


class Table:
    """The images that a CSV file lists, in its order; an empty label is none.

    Paths are relative to ``folder``, else to the CSV file's own; they may have backslashes, or lack their extension.
    ``column`` names the label's column, where it cannot be told.
    """

    def __init__(self, file: Path, folder: Path, column: str | None = None) -> None:
        self._file, self._folders, self._column = file, (folder, file.parent), column

    def entries(self, survey: Survey) -> Iterator[Entry]:
        """Raises SourceError where the file is no such table, or none of its first 100 paths exists."""
        try:
            yield from self._entries(survey)
        except OSError as error:
            raise SourceError(f"{self._file}: {error.strerror}; give an existing file as --labels csv:FILE") from None

    def load(self, entry: Entry) -> Item:
        return read_item(self._path(entry.name) or self._folders[0] / entry.name, entry)

    def _entries(self, survey: Survey) -> Iterator[Entry]:
        following = rows(self._file)
        head = list(islice(following, LOOKED_AT + 1))
        if not head:
            raise SourceError(f"{self._file} is empty; wanted columns path,label")
        known = self._columns([row for _, row in head])
        data = head[1:] if known.header else head
        self._check_paths([row for _, row in data], known)
        for number, row in chain(data, following):
            yield from self._entry(number, row, known, survey)

    def _columns(self, head: Sequence[list[str]]) -> Columns:
        try:
            return columns(head, self._found, self._column)
        except SourceError as error:
            raise SourceError(f"{self._file} {error}".replace("csv:FILE", f"csv:{self._file}")) from None

    def _entry(self, number: int, row: list[str], known: Columns, survey: Survey) -> Iterator[Entry]:
        where = f"{self._file} line {number}"
        if len(row) < known.width:
            raise SourceError(
                f"{where} has {len(row)} column{'s' * (len(row) != 1)}, {known.width} are wanted: path and label; "
                "a path or label that holds the separator stands in quotes"
            )
        name = self._name(row[known.path])
        if not looks_like_image(name):
            survey.ignored += 1
            return
        try:
            label = _unquoted(known.label(row))
        except SourceError as error:
            raise SourceError(f"{where} {error}") from None
        entry = Entry(name, checked_label(label, where) if label else None)
        survey.add(entry)
        yield entry

    def _name(self, cell: str) -> str:
        """The path as it is written, unless an image is found by another reading of it."""
        name = cell.strip()
        if looks_like_image(name) and "\\" not in name:
            return name
        return next((other for other in _readings(name) if self._path(other)), name)

    def _found(self, cell: str) -> int:
        if self._path(cell) and looks_like_image(cell):
            return 2
        return int(any(self._path(other) for other in _readings(cell)))

    def _check_paths(self, data: Sequence[list[str]], known: Columns) -> None:
        names = [row[known.path].strip() for row in data[:LOOKED_AT] if len(row) > known.path]
        if not names:
            raise SourceError(f"{self._file} has no rows below its header; wanted columns path,label")
        if not any(self._path(self._name(name)) for name in names):
            below = " or ".join(dict.fromkeys(map(str, self._folders)))
            raise SourceError(
                f"{self._file}: none of its first {len(names)} paths exists below {below}; "
                f"wanted columns path,label with paths relative to it{_hint(names[0], self._folders[0])}"
            )

    def _path(self, name: str) -> Path | None:
        return next((path for folder in self._folders if name and _is_file(path := folder / name)), None)


def _readings(cell: str) -> Iterator[str]:
    """What else a path may mean: without quotes, with slashes for backslashes, with an extension."""
    plain = _unquoted(cell.strip())
    slashed = plain.replace("\\", "/")
    for name in dict.fromkeys((plain, slashed)):
        if looks_like_image(name):
            yield name
        elif name and "\n" not in name:
            yield from (name + suffix for extension in CONTENT_TYPES for suffix in (extension, extension.upper()))


def _unquoted(text: str) -> str:
    """Without a pair of quotes that CSV does not know."""
    paired = len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES
    return text[1:-1].strip() if paired else text


def _hint(name: str, folder: Path) -> str:
    """Why a path may not exist, and what to do."""
    if name.startswith(("http://", "https://")):
        return f". {name[:100]!r} is a web address: download the images, and give the paths of the files"
    parts = PureWindowsPath(name).parts
    for begin in range(1, len(parts)):
        shorter = "/".join(parts[begin:])
        if _is_file(folder / shorter):
            return f". {name[:100]!r} is a path of another place, {shorter!r} is there: leave out what stands before"
    for inner in _inner(folder) if parts else ():
        if _is_file(folder / inner / parts[-1]):
            return f". {name[:100]!r} is not there, but {f'{inner}/{parts[-1]}'!r} is: is {inner} the folder to stream?"
    return f". The first is {name[:100]!r}"


def _inner(folder: Path) -> list[str]:
    """Folders right below it, by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def _is_file(path: Path) -> bool:
    """What cannot be looked at (too long a name, no permission, a NUL) is none: its own error comes when it is read."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
