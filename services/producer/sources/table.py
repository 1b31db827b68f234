"""A CSV file that lists images and their labels."""

import os
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path, PureWindowsPath

from prequel.services.producer.errors import SourceError
from prequel.services.producer.sources.base import ImageTime, LoadedImage, SourceImage, Survey
from prequel.services.producer.sources.columns import Columns, find_columns
from prequel.services.producer.sources.image_files import image_time, looks_like_image, read_image
from prequel.services.producer.sources.labels import checked_label
from prequel.services.producer.sources.paths import find_file, is_file, readings, unquoted
from prequel.services.producer.sources.table_text import HEAD_ROWS, rows
from prequel.shared.events.names import ID_RULE, valid_id
from prequel.shared.exports import IMAGE_COLUMNS


class Table:
    """The images that a CSV file lists, in its order; an empty label means none.

    Paths are relative to ``folder``, else to the CSV file's own; they may have backslashes, or lack their extension.
    ``label_column`` names the label's column, for tables where it is ambiguous.
    """

    def __init__(self, file: Path, folder: Path, label_column: str | None = None) -> None:
        self._file, self._folders, self._label_column = file, (folder, file.parent), label_column
        self._exported = False

    def images(self, survey: Survey) -> Iterator[SourceImage]:
        """Raises SourceError where the file is not such a table, or none of its first 100 paths exists."""
        try:
            yield from self._images(survey)
        except OSError as error:
            raise SourceError(f"{self._file}: {error.strerror}; give an existing file as --labels csv:FILE") from None

    def load(self, image: SourceImage) -> LoadedImage:
        return read_image(self._file_of(image), image)

    def time(self, image: SourceImage) -> ImageTime:
        return image_time(self._file_of(image))

    def _file_of(self, image: SourceImage) -> Path:
        return self._path(image.name) or self._folders[0] / image.name

    def _images(self, survey: Survey) -> Iterator[SourceImage]:
        all_rows = rows(self._file)
        head = list(islice(all_rows, HEAD_ROWS + 1))  # and one for the header
        if not head:
            raise SourceError(f"{self._file} is empty; expected columns path,label")
        columns = self._columns([row for _, row in head])
        self._exported = tuple(head[0][1]) == IMAGE_COLUMNS
        data = head[1:] if columns.header else head
        self._check_paths([row for _, row in data], columns)
        for number, row in chain(data, all_rows):
            line = f"{self._file} line {number}"
            if image := self._image(line, row, columns, survey):
                yield image

    def _columns(self, head: Sequence[list[str]]) -> Columns:
        try:
            return find_columns(head, self._match, self._label_column)
        except SourceError as error:
            raise SourceError(f"{self._file} {error}".replace("csv:FILE", f"csv:{self._file}")) from None

    def _image(self, line: str, row: list[str], columns: Columns, survey: Survey) -> SourceImage | None:
        """The image of a row, None where its path is not an image's; ``line`` is for messages."""
        if len(row) < columns.width:
            raise SourceError(
                f"{line} has {len(row)} column{'s' * (len(row) != 1)}, expected {columns.width}: path and label; "
                "put a path or label that contains the separator in quotes"
            )
        name = self._name(row[columns.path])
        if not looks_like_image(name):
            survey.ignored += 1
            return None
        try:
            label = unquoted(columns.label(row))
        except SourceError as error:
            raise SourceError(f"{line} {error}") from None
        image = SourceImage(name, checked_label(label, line) if label else None, id=self._id(row, line))
        survey.add(image)
        return image

    def _id(self, row: list[str], line: str) -> str:
        """The id that the image has had, in the table of an export; in other tables such a column may mean anything."""
        if not self._exported:
            return ""
        id = row[IMAGE_COLUMNS.index("id")]
        if not valid_id(id):
            raise SourceError(f"{line} has the id {id[:150]!r}, which is not valid: use {ID_RULE}")
        return id

    def _name(self, cell: str) -> str:
        """The path as it is written, unless only another reading of it is that of an existing image."""
        name = cell.strip()
        if looks_like_image(name) and "\\" not in name:
            return name
        return next((reading for reading in readings(name) if self._path(reading)), name)

    def _match(self, cell: str) -> int:
        """As MatchImage has it."""
        if self._path(cell) and looks_like_image(cell):
            return 2
        return int(any(self._path(reading) for reading in readings(cell)))

    def _check_paths(self, data: Sequence[list[str]], columns: Columns) -> None:
        """Fail before anything is sent where the table is for another folder."""
        names = [row[columns.path].strip() for row in data[:HEAD_ROWS] if len(row) > columns.path]
        if not names:
            raise SourceError(f"{self._file} has no rows below its header; expected columns path,label")
        if not any(self._path(self._name(name)) for name in names):
            folders = " or ".join(dict.fromkeys(map(str, self._folders)))
            raise SourceError(
                f"{self._file}: none of its first {len(names)} paths exists in {folders}; "
                f"expected columns path,label with paths relative to that{_hint(names[0], self._folders[0])}"
            )

    def _path(self, name: str) -> Path | None:
        return find_file(name, self._folders)


def _hint(name: str, folder: Path) -> str:
    """Why a path may not exist, and what to do, from one that does not."""
    if name.startswith(("http://", "https://")):
        return f". {name[:100]!r} is a web address: download the images, and give the paths of the files"
    parts = PureWindowsPath(name).parts
    for begin in range(1, len(parts)):
        shorter = "/".join(parts[begin:])
        if is_file(folder / shorter):
            return f". {name[:100]!r} does not exist here, {shorter!r} does: remove what is before that in all paths"
    for subfolder in _subfolders(folder) if parts else ():
        path = f"{subfolder}/{parts[-1]}"
        if is_file(folder / path):
            return f". {name[:100]!r} does not exist, {path!r} does: is {subfolder} the folder to stream?"
    return f". The first is {name[:100]!r}"


def _subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, in order."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []
