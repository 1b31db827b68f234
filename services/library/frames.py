"""Data frames of any kind that River takes, and arrays: their names and values, and results in the same form."""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from river.utils import dataframe


class Frame(NamedTuple):
    """``values`` [n, len(names)] of any numeric type, or of objects."""

    names: Sequence[Hashable]
    values: npt.NDArray[Any]


def read_frame(X: Any) -> Frame:
    """A data frame (pandas, polars, PyArrow, ...), or an array [n, dim], whose names are 0, 1, 2 and so on.

    Raises ValueError for an array of another shape, TypeError for anything else.
    """
    if not isinstance(X, np.ndarray):
        frame = dataframe.into_frame(X)
        return Frame(list(frame.columns), np.asarray(frame.to_numpy()))
    if X.ndim != 2:
        raise ValueError(f"expected an array of shape [examples, features], got one of shape {X.shape}")
    return Frame(range(X.shape[1]), X)


def read_labels(y: Any) -> list[Any]:
    """The labels of a series, an array or a list. Raises TypeError for anything else."""
    if isinstance(y, np.ndarray):
        return list(y.tolist())
    if isinstance(y, Sequence):
        return list(y)
    try:
        return list(dataframe.into_series(y).to_list())
    except TypeError:
        raise TypeError(f"labels are a series, an array or a list, not a {type(y).__name__}") from None


def frame_like(X: Any, values: npt.NDArray[np.float64], labels: Sequence[Any]) -> Any:
    """``values`` [n, len(labels)] as a data frame of the kind and with the index of ``X``; of an array the array."""
    if isinstance(X, np.ndarray):
        return values
    frame = dataframe.into_frame(X)
    # By columns: River's way for a whole array fails on labels that are no texts.
    columns = dict(zip(labels, values.T, strict=True))
    return (
        dataframe.to_native_frame(columns, like=frame) if columns else frame[:, :0].to_native()
    )  # select() drops the index.


def series_like(X: Any, values: Sequence[Any]) -> Any:
    """The same for one value a row: a series, or of an array a list."""
    if isinstance(X, np.ndarray):
        return list(values)
    return dataframe.to_native_series(values, name=None, like=dataframe.into_frame(X))
