"""Which columns of a table are an image's path and its label: told by names and contents, never guessed."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from prequel.services.producer.sources.base import SourceError, is_image

PATH_NAMES = frozenset(("path", "file", "filename", "file_name", "filepath", "image", "image_path", "image_id", "img"))
LABEL_NAMES = frozenset(("label", "class", "target", "category", "class_name", "label_name", "species", "breed"))
NO_LABEL_NAMES = frozenset(
    ("", "id", "index", "unnamed: 0", "split", "subset", "fold", "set", "width", "height", "size", "url", "date", "md5")
)
"""Columns by names that say that they are no class; beside these, one-hot columns are still all the others."""

_ONE, _ZERO = frozenset(("1", "1.0", "true", "yes")), frozenset(("0", "0.0", "", "false", "no"))
_SAMPLES = 3

Found = Callable[[str], int]
"""How well a cell names an image that is there: 2 as it stands, 1 with some help, 0 not at all."""
Row = Sequence[str]


class LabelRule(Protocol):
    """The label of a row, "" for none. Raises SourceError, without saying where, if the row has no such label."""

    def __call__(self, row: Row) -> str: ...


class Columns(NamedTuple):
    """Where the path stands, how the label is told, and how many columns a row must have at least."""

    path: int
    label: LabelRule
    width: int
    header: bool


class OneHot:
    """One column a class; a row holds 1 in that of its label, 0 in all others."""

    def __init__(self, classes: dict[int, str]) -> None:
        self._classes = classes

    def __call__(self, row: Row) -> str:
        named = [name for column, name in self._classes.items() if _cell(row, column) in _ONE]
        if len(named) > 1:
            raise SourceError(f"has 1 in several columns ({', '.join(named[:5])}); an image has one label")
        return named[0] if named else ""


def columns(rows: Sequence[Row], found: Found, wanted: str | None) -> Columns:
    """Look at the first rows of a table; ``wanted`` is the label's column by name, or by number from 1.

    Raises SourceError, without saying which table, where the label's column cannot be told. The path is the column
    whose cells name most images that are there; where none does, the one that is called so.
    """
    path, header = _path(rows, found)
    names = [cell.strip() for cell in rows[0]] if header else [f"#{number}" for number in range(1, len(rows[0]) + 1)]
    data = rows[1:] if header else rows
    others = [column for column in range(len(names)) if column != path]
    if wanted is not None:
        column = _wanted(names, wanted)
        return _plain(path, column, header)
    if not others:
        raise SourceError(f"has one column only ({names[0][:100]!r}); wanted path and label, separated by a comma")
    if header:
        named = [column for column in others if names[column].lower() in LABEL_NAMES]
        if len(named) == 1:
            return _plain(path, named[0], header)
        others = [column for column in others if names[column].lower() not in NO_LABEL_NAMES]
        if not named and len(others) > 1 and _one_hot(data, others):
            classes = {column: names[column] for column in others}
            return Columns(path, OneHot(classes), max(path, *others) + 1, header)
    if len(names) == 2 and len(others) == 1:
        return _plain(path, others[0], header)
    raise SourceError(_ambiguous(names, data, path))


def _plain(path: int, column: int, header: bool) -> Columns:
    return Columns(path, lambda row: row[column].strip(), max(path, column) + 1, header)


def _path(rows: Sequence[Row], found: Found) -> tuple[int, bool]:
    """The column of the paths, and whether the first row is a header.

    A header names no image there, though the rows below do; where these lack their extensions, a missing image would
    look the same, and only names that are known make a header.
    """
    names = [cell.strip().lower() for cell in rows[0]]
    hits = [[found(_cell(row, column, lower=False)) for row in rows] for column in range(len(names))]
    merit = [
        (sum(each == 2 for each in column), sum(column), names[number] in PATH_NAMES, -number)
        for number, column in enumerate(hits)
    ]
    best = merit.index(max(merit))
    below = any(looks_like_image(_cell(row, best)) for row in rows[1:])
    known = names[best] in PATH_NAMES | {"id"} or not LABEL_NAMES.isdisjoint(names)
    return best, not hits[best][0] and not looks_like_image(names[best]) and (known or (any(hits[best]) and below))


def _wanted(names: Sequence[str], wanted: str) -> int:
    lower = [name.lower() for name in names]
    if wanted.strip().lower() in lower:
        return lower.index(wanted.strip().lower())
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise SourceError(f"has no column {wanted!r}; it has {_listed(names)}")


def _one_hot(data: Sequence[Row], others: Sequence[int]) -> bool:
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
    told = "; ".join(f"{name} ({values})" for name, values in samples.items())
    return (
        f"does not say which column is the label: beside the paths ({names[path]}) there are {told}. "
        "Name it: --labels csv:FILE#COLUMN"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def looks_like_image(path: str) -> bool:
    """By its name; slashes may be backslashes."""
    return is_image(path.strip().replace("\\", "/").rpartition("/")[2])


def _cell(row: Row, column: int, lower: bool = True) -> str:
    text = row[column].strip() if column < len(row) else ""
    return text.lower() if lower else text
