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

    A category is a text that comes again and again, one of the ``words``: columns with the same have the same
    categories, since pandas compares no others. A time is an aware ``datetime``; an object becomes JSON; a vector is
    float32 [size].
    """

    name: str
    kind: ArrowKind = "text"
    size: int = 0
    words: str = ""


def arrow_table(fields: Sequence[Field], pieces: Iterable[Sequence[Row]]) -> Any:
    """A ``pyarrow.Table`` of all the rows; a piece of rows is let go before the next one is asked for."""
    schema = pyarrow.schema([pyarrow.field(field.name, _type(field)) for field in fields])
    batches = [_batch(fields, schema, rows) for rows in pieces]
    table = pyarrow.Table.from_batches(batches, schema)
    for names in _same_words(fields):
        table = _encoded(table, names)
    return table


def _same_words(fields: Sequence[Field]) -> Iterable[Sequence[str]]:
    """The names of the columns of categories, those together that share them."""
    found: dict[str, list[str]] = {}
    for field in fields:
        if field.kind == "category":
            found.setdefault(field.words or field.name, []).append(field.name)
    return found.values()


def _encoded(table: Any, names: Sequence[str]) -> Any:
    """The table with these columns as dictionaries, one for all of them."""
    texts = pyarrow.chunked_array([chunk for name in names for chunk in table.column(name).chunks], pyarrow.string())
    encoded, rows = texts.dictionary_encode().combine_chunks(), table.num_rows
    for number, name in enumerate(names):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, encoded.slice(number * rows, rows))
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
