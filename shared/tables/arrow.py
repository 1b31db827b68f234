"""Tables in memory, as Arrow: what data frames are made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson
import pyarrow

from prequel.shared.tables.base import Row

ArrowKind = Literal["text", "category", "number", "time", "object", "bytes", "vector"]


class Field(NamedTuple):
    """A column: its name, and what it holds. ``size`` is the length of a vector.

    A category is a text that comes again and again; a time is an aware ``datetime``; an object becomes JSON; a vector
    is float32 [size].
    """

    name: str
    kind: ArrowKind = "text"
    size: int = 0


def arrow_table(fields: Sequence[Field], pieces: Iterable[Sequence[Row]]) -> Any:
    """A ``pyarrow.Table`` of all the rows; a piece of rows is let go before the next one is asked for."""
    schema = pyarrow.schema([pyarrow.field(field.name, _type(field)) for field in fields])
    batches = [_batch(fields, schema, rows) for rows in pieces]
    table = pyarrow.Table.from_batches(batches, schema)
    for place, field in enumerate(fields):
        if field.kind == "category":
            table = table.set_column(place, field.name, table.column(place).dictionary_encode().combine_chunks())
    return table


def _batch(fields: Sequence[Field], schema: Any, rows: Sequence[Row]) -> Any:
    columns = [_column(field, schema.field(field.name).type, rows) for field in fields]
    return pyarrow.record_batch(columns, schema=schema)


def _column(field: Field, type: Any, rows: Sequence[Row]) -> Any:
    values: list[Any] = [row.get(field.name) for row in rows]
    if field.kind == "vector":
        flat = np.concatenate(values) if values else np.zeros(0, np.float32)
        return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(flat, pyarrow.float32()), type=type)
    if field.kind == "object":
        values = [None if value is None else orjson.dumps(value).decode() for value in values]
    return pyarrow.array(values, type)


def _type(field: Field) -> Any:
    return _TYPES[field.kind](field)


_TYPES: Mapping[str, Callable[[Field], Any]] = {
    "text": lambda _: pyarrow.string(),
    "category": lambda _: pyarrow.string(),
    "object": lambda _: pyarrow.string(),
    "number": lambda _: pyarrow.float64(),
    "time": lambda _: pyarrow.timestamp("us", "UTC"),
    "bytes": lambda _: pyarrow.large_binary(),
    "vector": lambda field: pyarrow.list_(pyarrow.float32(), field.size),
}
"""``large_binary``: images of one column may be more than 2 GiB."""
