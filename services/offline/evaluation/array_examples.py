"""Examples of arrays in memory, or mapped from a file."""

from collections.abc import Generator, Sequence

import numpy as np
import numpy.typing as npt

from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.offline.evaluation.examples import Origin
from prequel.services.offline.evaluation.file_examples import MAX_BATCH, without_copies
from prequel.shared.backbone_specs import OWN_BACKBONE
from prequel.shared.features.base import FeatureRows, RowInfo, Vectors
from prequel.shared.features.foreign import Columns, row_infos
from prequel.shared.features.rows import check_values, piece_rows
from prequel.shared.vectors import in_bounds

SOURCE = "arrays"


class ArrayExamples:
    """Row i of ``X``, numbers of shape [n, ...], is what the i-th cells of ``columns`` say: a label is a text or a
    number, None and NaN are none.

    A batch of ``X`` at a time is copied, as float32. ``backbone`` is the user's word for what made the features. Raises
    EvaluationError; FeatureFileError, which names the row, where a label is none, and later where a value is none.
    """

    def __init__(self, X: npt.NDArray[np.generic], columns: Columns, backbone: str = "") -> None:
        if X.ndim < 2 or X.dtype.kind not in "fiub" or not X.size:
            raise EvaluationError(
                f"X has the shape {list(X.shape)} and holds {X.dtype}: it needs a row of numbers for each example"
            )
        for name, cells in columns.items():
            if cells is not None and len(cells) != len(X):
                raise EvaluationError(
                    f"X has {len(X):,} rows, and {name} {len(cells):,}: each row needs one, None for none"
                )
        self._X = X
        infos = row_infos(columns, len(X), word=SOURCE, first_row=0, file="label")
        self._infos, self._rows, self._notes = without_copies(infos)
        self.origin = Origin(SOURCE, "", backbone or OWN_BACKBONE, "as-is")
        self.repeatable = True

    def infos(self) -> Sequence[RowInfo]:
        return self._infos

    def rows(self, order: Sequence[int]) -> Generator[FeatureRows, None, None]:
        size = min(MAX_BATCH, piece_rows(self._X[0].size))
        for begin in range(0, len(order), size):
            numbers = order[begin : begin + size]
            yield FeatureRows([self._infos[number] for number in numbers], self._vectors(numbers))

    def times(self) -> Sequence[float]:
        raise EvaluationError("--order by-time: arrays do not say when their images were taken; use another order")

    def notes(self) -> list[str]:
        return self._notes

    def _vectors(self, numbers: Sequence[int]) -> Vectors:
        rows = [self._rows[number] for number in numbers]
        with np.errstate(over="ignore"):  # Too large a number for float32 is infinite, and refused.
            vectors = self._X[rows].reshape(len(rows), -1).astype(np.float32)
        if not in_bounds(vectors):
            for row, vector in zip(rows, vectors, strict=True):
                check_values(vector[None], row, "X")
        return vectors
