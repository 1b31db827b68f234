"""What a caller gives for one or many: labels and ids, one for each, in their one spelling."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from prequel.services.producer.errors import WrongUsage
from prequel.shared.features.base import Vectors
from prequel.shared.features.foreign import label_of

Label = str | int | float | np.generic | None
"""A text or a whole number, which becomes a text; None and NaN: no label."""


def label_text(label: Label, place: int = 0) -> str | None:
    """The label as events have it. Raises FeatureFileError, which names its place.

    >>> label_text("cat"), label_text(3), label_text(3.0), label_text(float("nan"))
    ('cat', '3', '3', None)
    """
    return label_of(label.item() if isinstance(label, np.generic) else label, place, "labels")


def labels_for(labels: Label | Iterable[Label], count: int) -> list[str | None]:
    """One label for each of ``count`` examples: a text or a number is that of all. Raises WrongUsage."""
    if labels is None or isinstance(labels, str | int | float | np.generic):
        return [label_text(labels)] * count
    given = [label_text(label, place) for place, label in enumerate(labels)]
    return _one_each("labels", given, count)


def ids_for(ids: str | Sequence[str] | None, count: int) -> list[str]:
    """One id for each of ``count`` examples; empty texts where none are given. Raises WrongUsage."""
    if ids is None:
        return [""] * count
    if isinstance(ids, str):
        ids = [ids]
    return _one_each("ids", [str(id) for id in ids], count)


def vectors_of(X: Any) -> Vectors:
    """Rows of numbers, in an array, lists or a data frame, as float32 [n, dim]. Raises WrongUsage."""
    try:
        rows = np.asarray(X)
    except ValueError:
        raise WrongUsage("X has rows of different lengths: give as many values in each") from None
    if rows.dtype.kind not in "biuf":
        raise WrongUsage(f"X has values of type {rows.dtype}: give numbers only")
    if rows.ndim != 2 or 0 in rows.shape:
        raise WrongUsage(f"X has the shape {list(rows.shape)}: give [rows, values]; one row is X.reshape(1, -1)")
    with np.errstate(over="ignore"):  # What is too large for float32 becomes infinite, and is refused with its row.
        return rows.astype(np.float32)


def _one_each(name: str, given: list[Any], count: int) -> list[Any]:
    if len(given) != count:
        raise WrongUsage(f"{len(given):,} {name} for {count:,} examples: give one for each")
    return given
