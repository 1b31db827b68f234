"""Tables as NDJSON: an object a line, with every column, null where it is empty."""

from collections.abc import Sequence

import orjson

from prequel.shared.tables.base import Column, Row, Sink


class NdjsonTable:
    """A TableWriter."""

    def __init__(self, columns: Sequence[Column], sink: Sink) -> None:
        self._names = [column.name for column in columns]
        self._sink = sink

    def append(self, rows: Sequence[Row]) -> None:
        lines = [orjson.dumps({name: row.get(name) for name in self._names}) + b"\n" for row in rows]
        self._sink.write(b"".join(lines))

    def finish(self) -> None:
        """Nothing ends it."""
