"""Rows on their way from a file or into one: checked, and in pieces of the size that is wanted."""

from collections.abc import Iterable, Iterator

import numpy as np

from prequel.shared.features.base import FeatureFileError, FeatureRows, RowInfo, Vectors
from prequel.shared.vectors import MAX_VALUE, in_bounds, problem_of

PIECE_BYTES = 8 * 2**20
"""Vectors that a file is written and read in. With a tenth of it, the calls for each piece would show at 100,000 values
a row; ten times as much gains nothing, and a few pieces are in memory at one time."""


def piece_rows(dim: int) -> int:
    """Rows of a piece: at least one, however long it is."""
    return max(1, PIECE_BYTES // (4 * dim))


def rows_at_once(size: int, dim: int) -> int:
    """Rows to read at one time for batches of ``size``: whole batches, so that none has to be put together."""
    return max(1, piece_rows(dim) // size) * size


def regroup(pieces: Iterable[FeatureRows], size: int) -> Iterator[FeatureRows]:
    """The same rows, ``size`` at a time; vectors are copied only where a batch is of several pieces."""
    infos, parts = list[RowInfo](), list[Vectors]()
    for piece in pieces:
        begin = 0
        while begin < len(piece.infos):
            end = begin + size - len(infos)
            infos += piece.infos[begin:end]
            parts.append(piece.vectors[begin:end])
            begin = end
            if len(infos) == size:
                yield _batch(infos, parts)
                infos, parts = [], []
    if infos:
        yield _batch(infos, parts)


def _batch(infos: list[RowInfo], parts: list[Vectors]) -> FeatureRows:
    return FeatureRows(infos, parts[0] if len(parts) == 1 else np.concatenate(parts))


def check_values(vectors: Vectors, first_row: int, file: object) -> None:
    """Raises FeatureFileError, naming the row, unless all values are in bounds. ``first_row`` is counted from 0."""
    if in_bounds(vectors):
        return
    row, value = np.argwhere(~(np.abs(vectors) <= MAX_VALUE))[0]  # So that NaN is among them.
    raise FeatureFileError(
        f"{file}: row {first_row + row + 1:,}, value {value + 1:,} {problem_of(vectors[row, value])}. Remove the row, "
        "or make its features again"
    )
