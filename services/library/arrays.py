"""Arrays and data frames as examples: which of their columns are features, and which say something of them."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.library.rows import Rows
from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.shared.features import foreign
from prequel.shared.features.foreign import Columns, find_column

Source = str | PathLike[str] | tuple[Any, Any] | Any
"""A path, `digits`, (X, y), a data frame of pandas, polars or PyArrow, or the features of `prequel.read`."""

_ABOUT = {"id": foreign.IDS, "name": foreign.NAMES, "label": foreign.LABELS, "split": foreign.SPLITS}


class Arrays(NamedTuple):
    """Features [n, ...], and what is known of each row: see ``row_infos``."""

    X: npt.NDArray[np.generic]
    columns: Columns


def arrays_of(source: Source) -> str | Arrays:
    """A path as text, anything else as arrays. Raises EvaluationError where it is neither.

    >>> from prequel.services.library.arrays import arrays_of
    >>> arrays_of("pets.parquet")
    'pets.parquet'
    >>> arrays_of(([[0.5, 1.0]], ["cat"])).columns
    {'label': ['cat']}
    """
    if isinstance(source, str | PathLike):
        return str(source)
    if isinstance(source, Rows):
        X, y = source.to_numpy()
        return Arrays(X, {"label": y.tolist()})
    if isinstance(source, tuple) and len(source) == 2:
        X, y = source
        if np.isscalar(y):
            raise EvaluationError(f"y is {y!r}: it needs a label for each row of X, None for none")
        return Arrays(_matrix(X), {"label": None if y is None else _cells(y)})
    if hasattr(source, "columns"):
        return _of_frame(source)
    raise EvaluationError(
        f"{type(source).__name__} is nothing to evaluate: give a path, digits, a pair (X, y) of features and "
        "labels, or a data frame with a column of labels"
    )


def _of_frame(frame: Any) -> Arrays:
    """A column that is called as in feature files says something of the rows; of the rest, each has to be features."""
    columns_of = list(getattr(frame, "column_names", frame.columns))  # PyArrow's `columns` are the values.
    names = [str(name) for name in columns_of]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise EvaluationError(f"the data frame has two columns {twice!r}: rename one, or leave it out")
    about = {key: name for key, wanted in _ABOUT.items() if (name := find_column(names, wanted))}
    if "label" not in about:
        raise EvaluationError(
            f"the data frame has no column of labels: call it one of {', '.join(foreign.LABELS)}, or give (X, y)"
        )
    lists = find_column([name for name in names if name not in about.values()], foreign.FEATURES)
    columns = [lists] if lists else [name for name in names if name not in about.values()]
    by_name = dict(zip(names, columns_of, strict=True))
    cells = {key: _cells(frame[by_name[name]]) for key, name in about.items()}
    return Arrays(_columns(frame, [by_name[name] for name in columns]), dict(cells))


def _columns(frame: Any, names: Sequence[Any]) -> npt.NDArray[np.generic]:
    """Raises EvaluationError, naming the column, where one holds no numbers."""
    found = []
    for name in names:
        values = np.asarray(frame[name].to_numpy())
        if values.dtype.kind in "mM":
            raise EvaluationError(f"the column {name} holds times, not numbers: leave it out, or make numbers of it")
        if values.dtype == object:
            values = _matrix(values, f"the column {name}")
        found.append(values.reshape(len(values), -1))
    if not found:
        raise EvaluationError("the data frame has labels, but no column of features")
    return np.hstack(found) if len(found) > 1 else found[0]


def _matrix(X: Any, name: str = "X") -> npt.NDArray[np.generic]:
    """Rows of numbers, without a copy where they are an array already. Raises EvaluationError."""
    if hasattr(X, "toarray"):
        raise EvaluationError(f"{name} is sparse: give X.toarray(), since features are learned as full rows")
    values = X.to_numpy() if hasattr(X, "to_numpy") else X
    try:
        array = np.asarray(values)
        return np.stack(list(array)).astype(np.float64) if array.dtype == object else array
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{name} holds no numbers, or rows of different lengths: {error}") from None


def _cells(column: Any) -> Sequence[object]:
    """Python's own values: NumPy's print differently."""
    if hasattr(column, "to_pylist"):  # PyArrow's.
        return list(column.to_pylist())
    values = column.to_numpy() if hasattr(column, "to_numpy") else column
    cells: list[object] = np.asarray(values, object).ravel().tolist() if hasattr(values, "dtype") else list(values)
    return [cell.item() if isinstance(cell, np.generic) else cell for cell in cells]
