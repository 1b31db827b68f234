"""Finds the columns of a table that are the images' paths and labels, by their names and contents."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from prequel.services.producer.errors import SourceError
from prequel.services.producer.sources.image_files import looks_like_image

PATH_NAMES = frozenset(("path", "file", "filename", "file_name", "filepath", "image", "image_path", "image_id", "img"))
LABEL_NAMES = frozenset(("label", "class", "target", "category", "class_name", "label_name", "species", "breed"))
NO_LABEL_NAMES = frozenset(
    ("", "id", "index", "unnamed: 0", "split", "subset", "fold", "set", "width", "height", "size", "url", "date", "md5")
)
"""Columns that are neither path nor label, whatever they contain; beside them, all others may still be one-hot."""

_ONE, _ZERO = frozenset(("1", "1.0", "true", "yes")), frozenset(("0", "0.0", "", "false", "no"))
_SAMPLES = 3
"""Values of a column that a message shows."""

MatchImage = Callable[[str], int]
"""How well a cell names an existing image: 2 as it is, 1 after changing slashes or extension, 0 not at all."""
Row = Sequence[str]


class LabelRule(Protocol):
    """The label of a row, "" for none. Raises SourceError for an invalid row; the caller adds file and line."""

    def __call__(self, row: Row) -> str: ...


class Columns(NamedTuple):
    """The column of the path, the rule for the label, and the minimum number of columns of a row."""

    path: int
    label: LabelRule
    width: int
    header: bool


class OneHot:
    """A rule for tables with one column for each class: a row has 1 in that of its label, 0 in all others."""

    def __init__(self, classes: dict[int, str]) -> None:
        self._classes = classes

    def __call__(self, row: Row) -> str:
        named = [name for column, name in self._classes.items() if _cell(row, column) in _ONE]
        if len(named) > 1:
            raise SourceError(f"has 1 in several columns ({', '.join(named[:5])}), but an image has one label")
        return named[0] if named else ""


def find_columns(rows: Sequence[Row], match: MatchImage, label_column: str | None) -> Columns:
    """From the first rows of a table; ``label_column`` is the label's column by name, or by number from 1.

    The path is the column that names the most existing images; if none does, the one with such a name. Raises
    SourceError where the label's column is ambiguous; the caller adds the file.
    """
    path, header = _find_path(rows, match)
    names = [cell.strip() for cell in rows[0]] if header else [f"#{number}" for number in range(1, len(rows[0]) + 1)]
    data = rows[1:] if header else rows
    others = [column for column in range(len(names)) if column != path]
    if label_column is not None:
        return _one_column(path, _find_by_name(names, label_column), header)
    if not others:
        raise SourceError(f"has only one column ({names[0][:100]!r}); expected path and label, separated by a comma")
    if header:
        named = [column for column in others if names[column].lower() in LABEL_NAMES]
        if len(named) == 1:
            return _one_column(path, named[0], header)
        others = [column for column in others if names[column].lower() not in NO_LABEL_NAMES]
        if not named and len(others) > 1 and _is_one_hot(data, others):
            classes = {column: names[column] for column in others}
            return Columns(path, OneHot(classes), max(path, *others) + 1, header)
    if len(names) == 2 and len(others) == 1:
        return _one_column(path, others[0], header)
    raise SourceError(_ambiguous(names, data, path))


def _one_column(path: int, column: int, header: bool) -> Columns:
    return Columns(path, lambda row: row[column].strip(), max(path, column) + 1, header)


def _find_path(rows: Sequence[Row], match: MatchImage) -> tuple[int, bool]:
    """The column of the paths, and whether the first row is a header.

    A header names no existing image, though the rows below it do. Where their paths have no extensions, a first row
    whose image is missing would look the same: then only well-known names make a header.
    """
    names = [cell.strip().lower() for cell in rows[0]]
    hits = [[match(_cell(row, column, lower=False)) for row in rows] for column in range(len(names))]
    scores = [
        (sum(hit == 2 for hit in column), sum(column), names[number] in PATH_NAMES, -number)
        for number, column in enumerate(hits)
    ]
    best = scores.index(max(scores))
    images_below = any(looks_like_image(_cell(row, best)) for row in rows[1:])
    known_names = names[best] in PATH_NAMES | {"id"} or not LABEL_NAMES.isdisjoint(names)
    first_looks_like_image = bool(hits[best][0]) or looks_like_image(names[best])
    return best, not first_looks_like_image and (known_names or (any(hits[best]) and images_below))


def _find_by_name(names: Sequence[str], column: str) -> int:
    lower = [name.lower() for name in names]
    if column.strip().lower() in lower:
        return lower.index(column.strip().lower())
    if column.isdecimal() and 1 <= int(column) <= len(names):
        return int(column) - 1
    raise SourceError(f"has no column {column!r}; its columns are {', '.join(names)}")


def _is_one_hot(data: Sequence[Row], others: Sequence[int]) -> bool:
    """Whether every row holds 1 in exactly one of the columns, 0 in the others."""
    rows = [[_cell(row, column) for column in others] for row in data]
    return bool(rows) and all(
        sum(cell in _ONE for cell in row) == 1 and all(cell in _ONE | _ZERO for cell in row) for row in rows
    )


def _ambiguous(names: Sequence[str], data: Sequence[Row], path: int) -> str:
    samples = {
        name: ", ".join(dict.fromkeys(_cell(row, column, lower=False)[:40] for row in data[:_SAMPLES]))
        for column, name in enumerate(names)
        if column != path
    }
    shown = "; ".join(f"{name} ({values})" for name, values in samples.items())
    return (
        f"does not say which column is the label: beside the paths ({names[path]}) there are {shown}. "
        "Name it: --labels csv:FILE#COLUMN"
    )


def _cell(row: Row, column: int, lower: bool = True) -> str:
    text = row[column].strip() if column < len(row) else ""
    return text.lower() if lower else text
