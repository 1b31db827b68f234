"""Tables as Parquet: texts, numbers, and objects as JSON texts; a row group for a few thousand rows."""

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow
import pyarrow.parquet

from prequel.shared.tables.base import Column, Row, Sink

GROUP_ROWS = 10_000
"""Rows of a row group, some megabytes in memory. With a tenth, a file of a million rows would be a thousand groups,
which readers are slow to open; with ten times as many, memory would hold a hundred megabytes."""


class ParquetTable:
    """A TableWriter. A file without a row has its columns all the same."""

    def __init__(self, columns: Sequence[Column], sink: Sink) -> None:
        self._columns, self._rows = columns, list[Row]()
        self._schema = pyarrow.schema([pyarrow.field(column.name, _type(column)) for column in columns])
        self._writer = pyarrow.parquet.ParquetWriter(sink_file(sink), self._schema, compression="zstd")

    def append(self, rows: Sequence[Row]) -> None:
        self._rows += rows
        while len(self._rows) >= GROUP_ROWS:
            self._write(self._rows[:GROUP_ROWS])
            del self._rows[:GROUP_ROWS]

    def finish(self) -> None:
        if self._rows:
            self._write(self._rows)
        self._writer.close()

    def _write(self, rows: Sequence[Row]) -> None:
        columns = [[_value(column, row.get(column.name)) for row in rows] for column in self._columns]
        arrays = [pyarrow.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._writer.write_batch(pyarrow.record_batch(arrays, schema=self._schema))


class _SinkFile:
    """A sink as pyarrow wants a file: it asks where it is, and may close it."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink, self._at = sink, 0

    def write(self, data: Any) -> int:
        self._sink.write(bytes(data))
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """The sink's owner does."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def sink_file(sink: Sink) -> Any:
    """A file for pyarrow's writers, which is only written, from the beginning to the end."""
    return pyarrow.PythonFile(_SinkFile(sink), mode="w")


def _type(column: Column) -> Any:
    return pyarrow.float64() if column.kind == "number" else pyarrow.string()


def _value(column: Column, value: Any) -> Any:
    return value if column.kind != "object" or value is None else orjson.dumps(value).decode()
