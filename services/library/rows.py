"""Rows of a log: iterated in bounded memory, or whole as a data frame."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prequel.services.library.packages import MissingPackage
from prequel.shared.tables.base import Row

if TYPE_CHECKING:
    import pandas
    import polars

    from prequel.shared.tables.arrow import Field

PIECE_ROWS = 10_000
"""Rows of a piece unless said otherwise: a few megabytes of labels, and what a data frame likes to work on."""

Pieces = Callable[[], Iterator[Sequence[Row]]]
"""Begins to read; called again for each pass over the rows."""


class Rows:
    """The rows of a log, which are read when they are asked for: each pass reads what the log has then.

    ``columns`` are their names. ``complete`` is False where retention has removed the beginning of the stream.
    Iterating gives a dict a row, whose times are aware datetimes, whose features are float32 [dim]; memory holds a
    piece of them. The data frames hold all rows. Whatever reads raises PrequelError.

    >>> rows = prequel.read(data, stream="colours")
    >>> sorted({row["label"] for row in rows})
    ['blue', 'green', 'red']
    >>> [len(piece.to_pandas()) for piece in rows.pieces(5)]
    [5, 5, 2]
    """

    def __init__(self, fields: "Sequence[Field]", read: Pieces, *, title: str, complete: bool = True) -> None:
        self.fields, self.complete = tuple(fields), complete
        self._read, self._title = read, title

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for rows in self._read():
            for row in rows:
                yield {name: row.get(name) for name in self.columns}

    def pieces(self, size: int = PIECE_ROWS) -> "Iterator[Rows]":
        """The rows in one pass, ``size`` at a time: each is a Rows of its own, to be a data frame or to be iterated."""
        rows = iter(self)
        while piece := list(islice(rows, size)):
            yield Rows(self.fields, partial(iter, [piece]), title=self._title, complete=self.complete)

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table``: labels and other words are dictionaries, times UTC with microseconds, features lists
        of one length, what the models say JSON."""
        from prequel.shared.tables.arrow import arrow_table

        return arrow_table(self.fields, self._read())

    def to_pandas(self) -> "pandas.DataFrame":
        """Labels are categories, times UTC, features arrays of float32, an array a row."""
        try:
            import pandas  # Arrow needs it, and says so less well.
        except ModuleNotFoundError:
            raise MissingPackage("to_pandas() needs pandas: pip install pandas", name="pandas") from None
        frame: pandas.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> "polars.DataFrame":
        """Labels are categories, times UTC, features arrays of float32 of one length."""
        try:
            import polars
        except ModuleNotFoundError:
            raise MissingPackage("to_polars() needs polars: pip install polars", name="polars") from None
        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def to_numpy(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.object_]]:
        """``(X, y)`` of rows of features: float32 [n, dim], and the labels as texts, None where there is none.

        What `prequel.evaluate` and scikit-learn take. Raises TypeError for other rows.
        """
        dim = next((field.size for field in self.fields if field.kind == "vector"), None)
        if dim is None:
            raise TypeError(f"{self!r} has no features: read(..., what='features')")
        found = [(row["features"], row.get("label")) for rows in self._read() for row in rows]
        X = np.stack([x for x, _ in found]) if found else np.zeros((0, dim), np.float32)
        return X, np.array([label for _, label in found], object)

    def __repr__(self) -> str:
        rest = "" if self.complete else "; retention has removed the beginning"
        return f"<{self._title}: {', '.join(self.columns)}{rest}>"
