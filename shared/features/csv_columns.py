"""Which columns of a table are the label and the like, and which the features, from its first lines."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from prequel.shared.features import foreign
from prequel.shared.features.base import FeatureFileError
from prequel.shared.features.csv_text import cells, is_number, separator_of

_WANTED = {"id": foreign.IDS, "name": foreign.NAMES, "label": foreign.LABELS, "split": foreign.SPLITS}
_UNNAMED = ("", "unnamed: 0", "index")
"""Columns that number the rows, as pandas writes them."""


class CsvColumns(NamedTuple):
    """``first`` and ``last`` columns stand before and behind the ``dim`` features.

    ``infos`` says which of them, counted without the features, are ``id``, ``name``, ``label`` and ``split``.
    """

    separator: str
    header: bool
    first: int
    last: int
    dim: int
    infos: dict[str, int]

    @property
    def width(self) -> int:
        return self.first + self.dim + self.last

    @property
    def leading(self) -> "re.Pattern[bytes]":
        """Matches the cells before the features, perhaps in quotes, with the separators behind them."""
        separator = re.escape(self.separator)
        return re.compile(rf'(?:(?:"(?:[^"]|"")*"|[^{separator}"]*){separator}){{{self.first}}}'.encode())


def find_columns(lines: Sequence[str], file: Path) -> CsvColumns:
    """From the first one or two lines. Raises FeatureFileError where this is no table of features."""
    separator = separator_of(lines[0])
    names = [cell.strip() for cell in cells(lines[0], separator)]
    header = not any(is_number(name) for name in names[1:]) or (len(lines) > 1 and _is_header(names))
    data = [cell.strip() for cell in cells(lines[-1], separator)] if header and len(lines) > 1 else names
    if header and len(lines) == 1:
        data = ["0"] * len(names)
    if len(data) != len(names):
        raise FeatureFileError(f"{file}: row 1 has {len(data):,} columns, its header {len(names):,}")
    places = _infos(names, header=header)
    outside = sorted({*places.values(), *_numbering(names, header)})
    first = next((place for place in range(len(names)) if place not in outside), len(names))
    dim = next((place for place in range(first, len(names)) if place in outside), len(names)) - first
    last = len(names) - first - dim
    if not dim or any(place not in outside for place in range(first + dim, len(names))):
        raise FeatureFileError(
            f"{file} is no table of features: beside a label at the begin or the end of a row, as in class,feat_0,...,"
            f"feat_N, all columns must be features; its first line is {lines[0][:100]!r}"
        )
    if wrong := [place for place in range(first, first + dim) if data[place] and not is_number(data[place])]:
        raise FeatureFileError(
            f"{file} is no table of features: row 1, column {wrong[0] + 1:,} is {data[wrong[0]][:50]!r}, not a number"
        )
    kept = {key: place if place < first else place - dim for key, place in places.items()}
    return CsvColumns(separator, header, first, last, dim, kept)


def _is_header(names: Sequence[str]) -> bool:
    """Numbers may be names too (`label,0,1,2`): then they count up. `y,0.5,2` is a row of the class y."""
    numbers = [name for name in names if is_number(name)]
    counted = numbers[:1] in (["0"], ["1"]) and numbers == [str(int(numbers[0]) + n) for n in range(len(numbers))]
    return counted and foreign.find_column((names[0], names[-1]), foreign.LABELS) is not None


def _infos(names: Sequence[str], *, header: bool) -> dict[str, int]:
    if not header:
        return {"label": 0}
    found = {key: foreign.find_column(names, wanted) for key, wanted in _WANTED.items()}
    return {key: names.index(name) for key, name in found.items() if name is not None}


def _numbering(names: Sequence[str], header: bool) -> list[int]:
    return [place for place, name in enumerate(names[:1]) if header and name.lower() in _UNNAMED]
