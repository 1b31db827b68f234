"""Tables: one suite for every format, read back by somebody else's reader."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prequel.shared.tables.base import Column, Row
from prequel.shared.tables.opening import FORMATS, open_table

COLUMNS = (Column("id"), Column("label"), Column("share", "number"), Column("models", "object"))
Read = Callable[[bytes], list[dict[str, Any]]]


class Pieces:
    """A sink that is only written, as a socket is."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)


def _csv(data: bytes) -> list[dict[str, Any]]:
    rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
    return [
        {
            **row,
            "label": row["label"] or None,
            "share": float(row["share"]) if row["share"] else None,
            "models": orjson.loads(row["models"]) if row["models"] else None,
        }
        for row in rows
    ]


def _ndjson(data: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in data.split(b"\n")[:-1]]


def _parquet(data: bytes) -> list[dict[str, Any]]:
    rows = pyarrow.parquet.read_table(pyarrow.BufferReader(data)).to_pylist()
    return [row | {"models": row["models"] and orjson.loads(row["models"])} for row in rows]


READERS: Mapping[str, Read] = {"csv": _csv, "ndjson": _ndjson, "parquet": _parquet}

_labels = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
_rows = st.fixed_dictionaries(
    {
        "id": st.from_regex(r"\A[A-Za-z0-9._:-]{1,20}\Z"),
        "label": st.none() | _labels | st.sampled_from(['a,"b"', "=1+1", "'", " x ", "\N{SNOWMAN}"]),
        "share": st.none() | st.floats(0, 1),
        "models": st.none() | st.dictionaries(_labels, st.none() | _labels, max_size=3),
    }
)


def written(format: str, pieces: Sequence[Sequence[Row]]) -> bytes:
    sink = Pieces()
    table = open_table(format, COLUMNS, sink)
    for piece in pieces:
        table.append(piece)
    table.finish()
    return b"".join(sink.pieces)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(st.lists(_rows, max_size=4), max_size=4))
def test_what_was_written_is_read(format: str, pieces: list[list[Row]]) -> None:
    data = written(format, pieces)
    assert READERS[format](data) == [row for piece in pieces for row in piece]
    assert written(format, [[row] for piece in pieces for row in piece]) == data


@pytest.mark.parametrize("format", FORMATS)
def test_a_column_that_a_row_lacks_is_empty(format: str) -> None:
    assert READERS[format](written(format, [[{"id": "a"}]])) == [
        {"id": "a", "label": None, "share": None, "models": None}
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_a_long_table_leaves_in_pieces(format: str) -> None:
    sink = Pieces()
    table = open_table(format, COLUMNS, sink)
    for begin in range(0, 30_000, 500):
        table.append([{"id": f"i{n}", "label": "cat", "share": 0.5} for n in range(begin, begin + 500)])
    before_the_end = sum(map(len, sink.pieces))
    table.finish()
    data = b"".join(sink.pieces)
    assert before_the_end > 0.6 * len(data)
    assert len(READERS[format](data)) == 30_000
