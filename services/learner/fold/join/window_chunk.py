"""Up to 1,024 consecutive examples as columns: the unit in which the window is stored."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.calibration.ranking import ServedRun
from prequel.services.learner.fold.join.new_example import FirstLabel, NewExample
from prequel.services.learner.fold.predictions import TOP, UNCALIBRATED, ModelPrediction, served
from prequel.services.learner.snapshots.blobs import Part, part

CHUNK = 1024
"""Examples in a full chunk. A chunk is written again with the next snapshot when one of its examples is labelled: with
twice as many, a single label would cost twice the bytes; with half, a large window would be twice as many parts."""
INITIAL_ROWS = 64
"""Rows of a new chunk: a stream of a few examples must not take the memory of a thousand. CHUNK is this times 16, and
chunks grow fourfold."""
_ROW = np.dtype(
    [
        ("partition", "<i4"),
        ("offset", "<i8"),
        ("time", "<f8"),
        ("label", "<i4"),
        ("score_index", "<i8"),
        ("learned_at", "<i8"),
        ("learned_after", "<i8"),
        ("set_threshold", "<f4"),
        ("why", "u1"),
        ("mixed", "u1"),
        ("unknown", "u1"),
        ("residue", "u1"),
        ("label_by", "u1"),
        ("label_time", "<f8"),
        ("first_label", "<i4"),
        ("digest", "<u8"),
    ]
)
"""Stored as raw bytes: the order and the types are part of the snapshots' format, the names are not.

``set_threshold`` belongs to the champion's set of an example: classes of a probability of at least so much are in it.
``why`` is the number of the reason for which it was labelled, ``mixed`` whether labels came mixed when its was scored.
``label_by`` is the number of who gave its present label, ``label_time`` when.
"""

Arrays = dict[str, npt.NDArray[Any]]


class Chunk:
    """Columns of consecutive examples, with every model's top predictions.

    ``start`` is the sequence number of the first one, ``models`` how many models predict, ``width`` how many classes of
    a prediction there is room for: 1 to TOP, and it grows to TOP at once when a prediction has more classes.
    """

    def __init__(self, start: int, models: int, width: int) -> None:
        self.start = start
        self.ids: list[str] = []
        self.rows = np.zeros(INITIAL_ROWS, _ROW)
        self.predicted = _no_predictions(models, INITIAL_ROWS, width)
        """Columns by model and row: see ``_no_predictions``."""
        self.stored_part: Part | None = None
        """The chunk as a part of a snapshot; None once something in it has changed."""
        self.columns = _columns(self.rows)
        """Views of ``rows`` by field, kept: making such a view takes longer than reading a value through it."""

    def extend(self, examples: Sequence[tuple[NewExample, FirstLabel]], predicted: Sequence[ServedRun]) -> None:
        """Add examples, as many as there is room for in a chunk, with every model's predictions of them."""
        row, end = len(self.ids), len(self.ids) + len(examples)
        while end > len(self.rows):
            self._resize(4 * len(self.rows))
        self.ids += [example.id for example, _ in examples]
        self.rows[row:end] = [_row(example, label) for example, label in examples]
        for model, run in enumerate(predicted):
            self._set_run(model, slice(row, end), run)
        self.stored_part = None

    def _set_run(self, model: int, rows: slice, run: ServedRun) -> None:
        if run.width > self.predicted["top_classes"].shape[2]:
            self._widen()
        top_classes, top_probabilities, known, calibration = self.predicted.values()
        top_classes[model, rows, : run.width] = run.ranking.classes[:, : run.width]
        top_probabilities[model, rows, : run.width] = run.ranking.raw[:, : run.width]
        known[model, rows] = run.ranking.known
        calibration[model, rows] = run.calibrations

    def change_models(
        self, old_models: Sequence[int | None], new_predictions: Sequence[Sequence[ModelPrediction]]
    ) -> None:
        """Model n becomes the old model ``old_models[n]``, or, where that is None, the next of ``new_predictions``.

        Each of ``new_predictions`` has one prediction a row.
        """
        before = self.predicted
        _, rows, width = before["top_classes"].shape
        self.predicted = _no_predictions(len(old_models), rows, width)
        added = iter(new_predictions)
        for model, old in enumerate(old_models):
            if old is not None:
                for name, column in self.predicted.items():
                    column[model] = before[name][old]
                continue
            for row, prediction in enumerate(next(added)):
                self._set_prediction(model, row, prediction)
        self.stored_part = None

    def _set_prediction(self, model: int, row: int, prediction: ModelPrediction) -> None:
        width = len(prediction.classes)
        if width > self.predicted["top_classes"].shape[2]:
            self._widen()
        top_classes, top_probabilities, known, calibration = self.predicted.values()
        top_classes[model, row, :width] = prediction.classes
        top_probabilities[model, row, :width] = prediction.own
        known[model, row] = prediction.known
        calibration[model, row] = prediction.calibration

    def predictions(self, row: int) -> list[ModelPrediction]:
        """Every model's prediction of the example in ``row``."""
        predictions = []
        for classes, raw, known, calibration in zip(
            *(column[:, row] for column in self.predicted.values()), strict=True
        ):
            width = max(0, int(known))
            predictions.append(served(classes[:width].tolist(), raw[:width], int(known), calibration))
        return predictions

    def part(self) -> Part:
        """The chunk as a part of a snapshot, made again only when something in it has changed."""
        if self.stored_part is None:
            filled = len(self.ids)
            arrays = {name: column[:, :filled] for name, column in self.predicted.items()}
            arrays["entries"] = self.rows[:filled].view(np.uint8)
            self.stored_part = part({"first": self.start, "ids": self.ids}, arrays)
        return self.stored_part

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: Arrays, stored_part: Part) -> "Chunk":
        """The inverse of ``part``, from its unpacked contents."""
        models, filled, width = arrays["top_classes"].shape
        self = cls(meta["first"], models, width)
        self.ids = meta["ids"]
        if filled > INITIAL_ROWS:
            self._resize(CHUNK)
        self.rows[:filled] = arrays["entries"].view(_ROW)
        for name, column in self.predicted.items():
            column[:, :filled] = arrays[name]
        self.stored_part = stored_part
        return self

    def _resize(self, rows: int) -> None:
        """Make room for so many rows."""
        filled = len(self.rows)
        self.rows = np.concatenate([self.rows, np.zeros(rows - filled, _ROW)])
        self.columns = _columns(self.rows)
        models, _, width = self.predicted["top_classes"].shape
        self._take_over(_no_predictions(models, rows, width))

    def _widen(self) -> None:
        models, rows, _ = self.predicted["top_classes"].shape
        self._take_over(_no_predictions(models, rows, TOP))

    def _take_over(self, larger: Arrays) -> None:
        """Use larger columns, with what the present ones hold."""
        for name, column in self.predicted.items():
            larger[name][tuple(map(slice, column.shape))] = column
        self.predicted = larger


def _row(example: NewExample, label: FirstLabel) -> tuple[float, ...]:
    """An example's row, in the order of ``_ROW``."""
    _, _, position, time, first, unknown, set_threshold = example
    number, score_index, learned_at, learned_after, why, mixed, label_by, label_time = label
    return (
        *position,
        time,
        number,
        score_index,
        learned_at,
        learned_after,
        set_threshold,
        why,
        mixed,
        unknown,
        0,
        label_by,
        label_time,
        *first,
    )


def _columns(rows: npt.NDArray[Any]) -> Arrays:
    return {name: rows[name] for name in _ROW.fields or ()}


def _no_predictions(models: int, rows: int, width: int) -> Arrays:
    """The columns of predictions, all of nothing: the model's own probabilities, and what calibrated them."""
    return {
        "top_classes": np.full((models, rows, width), -1, "<i4"),
        "top_probabilities": np.zeros((models, rows, width), "<f4"),
        "known": np.zeros((models, rows), "<i4"),
        "calibration": np.full((models, rows, 5), UNCALIBRATED, "<f4"),
    }
