"""What feature files of other programs call their columns, and what their labels mean here."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from prequel.shared.events.names import LABEL_RULE, normal_label, valid_label
from prequel.shared.features.base import FeatureFileError, RowInfo

FEATURES = ("features", "feature", "embeddings", "embedding", "vectors", "vector", "x")
LABELS = ("label", "labels", "class", "classes", "target", "targets", "y")
IDS = ("id", "ids")
NAMES = ("name", "names", "path", "paths", "file", "files", "filename", "filenames")
SPLITS = ("split", "splits", "subset")
"""In lower case; of several in one file, the first here counts."""

Columns = dict[str, Sequence[object] | None]
"""The cells of some rows by ``id``, ``name``, ``label`` and ``split``; None where there is no such column."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._:-]+")
_MISSING = ("nan", "NaN", "NaT", "<NA>")
"""How Python, decimal numbers and pandas print what is missing, of which some cannot be compared."""
_FLOAT = re.compile(r"[-+]?\d+\.\d*([eE][-+]?\d+)?")


def find_column(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    """The name among ``names`` that is one of ``wanted``, whatever its capitals."""
    by_lower = {name.lower(): name for name in reversed(list(names))}
    return next((by_lower[name] for name in wanted if name in by_lower), None)


def word_of(path: Path) -> str:
    """A word for the features of a file that does not say how they were made: its name without the extension."""
    return _UNSAFE.sub("-", path.name.partition(".")[0])[:64].strip("-") or "features"


def row_id(word: str, row: int) -> str:
    """The id of a row, counted from 0, of a file that gives its rows none."""
    return f"{word}:{row}"


def label_of(value: object, row: int, file: object) -> str | None:
    """The label that a cell means: None where it is empty; of a number without its zero decimals (`1.0` is `1`).

    Programs that write features and label as one array write the label as a float. Raises FeatureFileError, naming
    the row, which is counted from 0.
    """
    cell = value.decode(errors="replace") if isinstance(value, bytes) else value
    text = normal_label(_text(cell) or "")
    if _FLOAT.fullmatch(text) and float(text).is_integer():
        text = str(int(float(text)))
    if not text:
        return None
    if not valid_label(text):
        raise FeatureFileError(f"{file}: row {row + 1:,} has the label {text[:100]!r}: use {LABEL_RULE}")
    return text


def own_infos(columns: Columns) -> list[RowInfo]:
    """Rows of a file that we wrote: as they were, empty texts for None."""
    cells = zip(*(columns[key] or () for key in RowInfo._fields), strict=True)
    return [RowInfo(str(id), str(name), _text(label), _text(split)) for id, name, label, split in cells]


def row_infos(columns: Columns, count: int, *, word: str, first_row: int, file: object) -> list[RowInfo]:
    """Rows of another program's file from their columns."""
    ids, names, labels, splits = (columns.get(key) for key in ("id", "name", "label", "split"))
    rows = []
    for number in range(count):
        id = _UNSAFE.sub("-", _text(ids[number]) or "")[:128] if ids is not None else ""
        id = id or row_id(word, first_row + number)
        name = str(names[number]) if names is not None else id
        label = None if labels is None else label_of(labels[number], first_row + number, file)
        split = None if splits is None else _text(splits[number])
        rows.append(RowInfo(id, name, label, split))
    return rows


def _text(value: object) -> str | None:
    """None for what is missing. A text that says `nan` is one: somebody's label, perhaps."""
    text = "" if value is None else str(value)
    return None if not text or (text in _MISSING and not isinstance(value, str)) else text


def labels_of(rows: Iterable[RowInfo]) -> tuple[str, ...]:
    """The labels that rows have, sorted."""
    return tuple(sorted({row.label for row in rows if row.label is not None}))
