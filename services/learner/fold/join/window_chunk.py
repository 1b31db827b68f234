"""Up to 1,024 consecutive examples as columns: the unit in which the window is stored."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.predictions import TOP, ModelPrediction
from prequel.services.learner.snapshots.blobs import Part, part
from prequel.shared.log.base import Position

CHUNK = 1024
"""Examples in a full chunk. A chunk is written again with the next snapshot when one of its examples is labelled: with
twice as many, a single label would cost twice the bytes; with half, a large window would be twice as many parts."""
INITIAL_ROWS = 64
"""Rows of a new chunk: a stream of a few examples must not take the memory of a thousand. CHUNK is this times 16, and
chunks grow fourfold."""
UNLABELLED = UNSCORED = -1
"""In the columns ``label`` and ``score_index``: the example has none."""
NO_CLASS = -2
"""In ``FirstSeen.label``: the example's own label is no class (it was rejected, or an earlier label event won)."""

_ROW = np.dtype(
    [
        ("partition", "<i4"),
        ("offset", "<i8"),
        ("time", "<f8"),
        ("label", "<i4"),
        ("score_index", "<i8"),
        ("learned_at", "<i8"),
        ("unknown", "<i4"),
        ("residue", "<i4"),
        ("first_label", "<i4"),
        ("digest", "<u8"),
    ]
)
"""Stored as raw bytes: the order and the types are part of the snapshots' format, the names are not."""

Arrays = dict[str, npt.NDArray[Any]]


class FirstSeen(NamedTuple):
    """How an example came first: its own label (a class, UNLABELLED or NO_CLASS), and 64 bits of its image's SHA-256.

    ``digest`` is 0 where the image's digest is not known.
    """

    label: int
    digest: int


class Chunk:
    """Columns of consecutive examples, with every model's top predictions.

    ``start`` is the sequence number of the first one, ``models`` how many models predict, ``width`` how many classes of
    a prediction there is room for: 1 to TOP, and it grows to TOP at once when a prediction has more classes.
    """

    def __init__(self, start: int, models: int, width: int) -> None:
        self.start = start
        self.ids: list[str] = []
        self.rows = np.zeros(INITIAL_ROWS, _ROW)
        self.top_classes = np.full((models, INITIAL_ROWS, width), -1, "<i4")
        self.top_probabilities = np.zeros((models, INITIAL_ROWS, width), "<f4")
        self.known = np.zeros((models, INITIAL_ROWS), "<i4")
        self.stored_part: Part | None = None
        """The chunk as a part of a snapshot; None once something in it has changed."""
        self.columns = _columns(self.rows)
        """Views of ``rows`` by field, kept: making such a view takes longer than reading a value through it."""

    def append(
        self,
        id: str,
        position: Position,
        time: float,
        predictions: Sequence[ModelPrediction],
        *,
        unknown: bool,
        first: FirstSeen,
    ) -> None:
        """Add an unlabelled example; ``time`` in seconds since the epoch. See Window.append."""
        row = len(self.ids)
        if row == len(self.rows):
            self._resize(4 * row)
        self.ids.append(id)
        self.rows[row] = (position.partition, position.offset, time, UNLABELLED, UNSCORED, 0, unknown, 0, *first)
        self._set_predictions(row, enumerate(predictions))
        self.stored_part = None

    def change_models(
        self, old_models: Sequence[int | None], new_predictions: Sequence[Sequence[ModelPrediction]]
    ) -> None:
        """Model n becomes the old model ``old_models[n]``, or, where that is None, the next of ``new_predictions``.

        Each of ``new_predictions`` has one prediction a row.
        """
        before = self.top_classes, self.top_probabilities, self.known
        models, (_, rows, width) = len(old_models), self.top_classes.shape
        self.top_classes = np.full((models, rows, width), -1, "<i4")
        self.top_probabilities = np.zeros((models, rows, width), "<f4")
        self.known = np.zeros((models, rows), "<i4")
        added = iter(new_predictions)
        for model, old in enumerate(old_models):
            if old is not None:
                self.top_classes[model], self.top_probabilities[model], self.known[model] = (a[old] for a in before)
                continue
            for row, prediction in enumerate(next(added)):
                self._set_predictions(row, [(model, prediction)])
        self.stored_part = None

    def _set_predictions(self, row: int, by_model: Iterable[tuple[int, ModelPrediction]]) -> None:
        for model, (classes, probabilities, known) in by_model:
            width = len(classes)
            if width > self.top_classes.shape[2]:
                self._widen()
            self.top_classes[model, row, :width] = classes
            self.top_probabilities[model, row, :width] = probabilities
            self.known[model, row] = known

    def predictions(self, row: int) -> list[ModelPrediction]:
        """Every model's prediction of the example in ``row``."""
        columns = (array[:, row].tolist() for array in (self.top_classes, self.top_probabilities, self.known))
        return [
            ModelPrediction(classes[: max(0, min(TOP, known))], probabilities[: max(0, min(TOP, known))], known)
            for classes, probabilities, known in zip(*columns, strict=True)
        ]

    def part(self) -> Part:
        """The chunk as a part of a snapshot, made again only when something in it has changed."""
        if self.stored_part is None:
            filled = len(self.ids)
            arrays = {
                "entries": self.rows[:filled].view(np.uint8),
                "top_classes": self.top_classes[:, :filled],
                "top_probabilities": self.top_probabilities[:, :filled],
                "known": self.known[:, :filled],
            }
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
        self.top_classes[:, :filled] = arrays["top_classes"]
        self.top_probabilities[:, :filled] = arrays["top_probabilities"]
        self.known[:, :filled] = arrays["known"]
        self.stored_part = stored_part
        return self

    def _resize(self, rows: int) -> None:
        more = rows - len(self.rows)
        self.rows = np.concatenate([self.rows, np.zeros(more, _ROW)])
        self.columns = _columns(self.rows)
        self.top_classes = np.pad(self.top_classes, ((0, 0), (0, more), (0, 0)), constant_values=-1)
        self.top_probabilities = np.pad(self.top_probabilities, ((0, 0), (0, more), (0, 0)))
        self.known = np.pad(self.known, ((0, 0), (0, more)))

    def _widen(self) -> None:
        models, rows, width = self.top_classes.shape
        classes, probabilities = np.full((models, rows, TOP), -1, "<i4"), np.zeros((models, rows, TOP), "<f4")
        classes[:, :, :width], probabilities[:, :, :width] = self.top_classes, self.top_probabilities
        self.top_classes, self.top_probabilities = classes, probabilities


def _columns(rows: npt.NDArray[Any]) -> Arrays:
    return {name: rows[name] for name in _ROW.fields or ()}
