"""The text of tables of numbers: parsed and written many values at a time, as fast for 100,000 columns as for ten."""

import csv
from collections.abc import Sequence

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv

from prequel.shared.features.base import Vectors

SEPARATORS = ",;\t"

_NO_SEPARATOR = "\x1f"
"""Of a text with one value on each line, where nothing separates columns."""


def is_number(text: str) -> bool:
    """Whether it is a number, as programs write one; also `nan` and `inf`, which are refused later, with their row."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def cells(line: str, separator: str) -> list[str]:
    """The cells of one line, without quotes. Raises csv.Error."""
    return next(csv.reader([line], delimiter=separator), [])


def separator_of(line: str) -> str:
    """What separates the columns of a table, from its first line."""
    return max(SEPARATORS, key=line.count)


def parse_numbers(rows: Sequence[bytes], separator: bytes) -> Vectors:
    """The numbers of all rows, one after the other, float32 [n]; an empty cell is NaN.

    pyarrow spends more time on a column than on its values once there are thousands: as one column, 100,352 values a
    row are parsed five times as fast as a table of 100,352 columns. Raises pyarrow.ArrowInvalid where a cell is no
    number.
    """
    text = separator.join(rows).replace(separator, b"\n").replace(b'"', b"") + b"\n"
    if b"\r" in text:  # pyarrow would begin another value there, and all behind it would move.
        raise pyarrow.ArrowInvalid("a line break in a cell")
    table = pyarrow.csv.read_csv(
        pyarrow.BufferReader(text),
        read_options=pyarrow.csv.ReadOptions(column_names=["x"]),
        parse_options=pyarrow.csv.ParseOptions(delimiter=_NO_SEPARATOR, quote_char=False, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(column_types={"x": pyarrow.float32()}),
    )
    values: Vectors = table.column(0).to_numpy()
    return values


def header(dim: int) -> bytes:
    """The first line of the tutorials' own tables, for so many values a row."""
    return ",".join(("class", *(f"feat_{number}" for number in range(dim)))).encode() + b"\n"


def format_rows(labels: Sequence[str | None], vectors: Vectors) -> bytes:
    """Lines of a label and its numbers, each with as few digits as name it exactly."""
    numbers = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1)).cast(pyarrow.string())
    ends = pyarrow.array(np.arange(0, vectors.size + 1, vectors.shape[1]), pyarrow.int32())
    rows = pyarrow.compute.binary_join(pyarrow.ListArray.from_arrays(ends, numbers), ",")
    first = pyarrow.array([_quoted(label or "") for label in labels], pyarrow.string())
    lines = pyarrow.compute.binary_join_element_wise(first, rows, ",")
    return "".join(f"{line}\n" for line in lines.to_pylist()).encode()


def _quoted(text: str) -> str:
    if not any(character in text for character in f'"{SEPARATORS}') and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'
