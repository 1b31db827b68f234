"""Tables as CSV (RFC 4180): UTF-8, a header, quotes where a value needs them, values as they are."""

import csv
import io
from collections.abc import Sequence

import orjson

from prequel.shared.tables.base import Column, Row, Sink


class CsvTable:
    """A TableWriter. An empty value is an empty cell, an object is JSON.

    A value that begins with `=` is written as it is: a label must come back as it was. Spreadsheets that open such a
    file ask before they calculate.
    """

    def __init__(self, columns: Sequence[Column], sink: Sink) -> None:
        self._columns, self._sink = columns, sink
        self._text = io.StringIO()
        self._csv = csv.writer(self._text, lineterminator="\n")
        self._csv.writerow([column.name for column in columns])

    def append(self, rows: Sequence[Row]) -> None:
        self._csv.writerows([_cell(column, row.get(column.name)) for column in self._columns] for row in rows)
        self._flush()

    def finish(self) -> None:
        self._flush()

    def _flush(self) -> None:
        self._sink.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()


def _cell(column: Column, value: object) -> object:
    return value if column.kind != "object" or value is None else orjson.dumps(value).decode()
