"""What writes a table in pieces, and what a column of it holds (protocols and value types)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

Kind = Literal["text", "number", "object"]

Row = Mapping[str, Any]
"""The values of a row by column; a column that is missing, or None, is empty."""


class Column(NamedTuple):
    """A column's name, and what it holds: a text, a number, or an object, which is JSON where a format has none."""

    name: str
    kind: Kind = "text"


class Sink(Protocol):
    """Where bytes go, one piece after the other; never read, never sought."""

    def write(self, data: bytes, /) -> object: ...


class TableWriter(Protocol):
    """A table that is being written to a sink. It keeps a piece of it in memory, however long it is."""

    def append(self, rows: Sequence[Row]) -> None:
        """Write more rows. Blocks as the sink does, and raises what that raises."""
        ...

    def finish(self) -> None:
        """Write what ends a table. Call it once; without it, a reader finds a table that is not whole."""
        ...
