"""Prequential metrics that can be restated: any scored example may be taken out, or scored anew, exactly."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.counts import Counts
from prequel.services.learner.fold.slices import SLICES, Slices

MOST_POINTS = 500
FIRST_STRIDE = 4
POINTS_A_SLICE = MOST_POINTS // SLICES
LEAST_IN_A_SLICE = 5
"""Recalls of a class over fewer examples say too little to speak of forgetting."""
FADING = 0.999
LEAST_WEIGHT = 1e-6
"""Of all that counts in the fading accuracy. Below it, where nearly all was retracted, rounding is what is left."""
LOSS_UNIT = 2.0**-32
"""Log losses are summed as whole numbers of this many nats, so that a sum does not depend on its order."""

_EMPTY, _WRONG, _RIGHT = 0, 1, 2

Arrays = dict[str, npt.NDArray[Any]]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def loss_units(probability: float) -> int:
    """Log loss of the true class's probability, clipped to [1e-15, 1 - 1e-15] as River does, in LOSS_UNIT."""
    clipped = min(max(probability, 1e-15), 1 - 1e-15)
    return round(-math.log(clipped) / LOSS_UNIT)


class PerClass(NamedTuple):
    """Of every class, by its number; nan where nothing was predicted or true, or too little to say."""

    precision: Floats
    recall: Floats
    f1: Floats
    support: Numbers
    forgetting: Floats


class Tally:
    """One model's counts. ``confusion`` maps (true class, predicted class or -1) to how many.

    ``guessed`` is its sums by predicted class: kept, because they are asked for more often than a large matrix can be
    added up. What one pass over the classes says is not: counting an example costs more than all of those passes.
    """

    def __init__(self, window: int) -> None:
        self.confusion: dict[tuple[int, int], int] = {}
        self.loss = 0
        self.right = 0
        self.recent = bytearray(window)
        self.recent_right = 0
        self.curve = [0]
        self.faded_right = 0.0
        self.slices = Slices()
        """Examples of a class that were predicted right."""
        self.guessed = Counts()


class Prequential:
    """The metrics of all models of one stream, over the same scored examples in the same order.

    An example is scored once and gets an index; ``restate`` changes what was said of an index. The windowed accuracy
    is over the newest ``window`` indices, the curve over runs of ``stride`` indices (doubled when 500 are full), so
    both can be restated as well. Prequential evaluation: Gama, Sebastiao & Rodrigues, "On evaluating stream learning
    algorithms", Machine Learning 90 (2013).
    """

    def __init__(self, models: int, window: int) -> None:
        self.window = window
        self.tracked = 0
        """The oldest index that the windowed accuracy knows of: more than its last ``window`` after it was widened."""
        self.total = 0
        """Indices given so far; ``held`` of them still count (the others were retracted)."""
        self.held = 0
        self.recent_held = 0
        self.stride = FIRST_STRIDE
        self.curve_held = [0]
        self.faded_held = 0.0
        self.slices_held = Slices()
        self.true = Counts()
        self.tallies = [Tally(window) for _ in range(models)]

    def score(self, truth: int, predicted: Sequence[int], losses: Sequence[int]) -> int:
        """Score each model's prediction (class or -1) of an example now known to be ``truth``; return its index."""
        index = self.skip()
        self._count(index, truth, predicted, losses, 1)
        return index

    def skip(self) -> int:
        """Give an index to an example of which these models said nothing: time passes, nothing is counted."""
        index = self.total
        self._make_room(index)
        self.total += 1
        self.faded_held *= FADING
        for tally in self.tallies:
            tally.faded_right *= FADING
        return index

    def restate(
        self,
        index: int,
        predicted: Sequence[int],
        old: tuple[int, Sequence[int]],
        new: tuple[int, Sequence[int]] | None,
    ) -> None:
        """As if index had been scored with ``new`` = (truth, losses) instead of ``old``; None: never labelled."""
        self._count(index, old[0], predicted, old[1], -1)
        if new is not None:
            self._count(index, new[0], predicted, new[1], 1)

    def _make_room(self, index: int) -> None:
        """Empty the slot of the windowed accuracy that ``index`` takes over, and open its point of the curve."""
        slot = index % self.window
        if self.tallies[0].recent[slot] != _EMPTY:
            self.recent_held -= 1
            for tally in self.tallies:
                tally.recent_right -= tally.recent[slot] == _RIGHT
                tally.recent[slot] = _EMPTY
        if index // self.stride >= MOST_POINTS:
            self._halve_curve()
        if index // self.stride >= len(self.curve_held):
            for points in (self.curve_held, *(tally.curve for tally in self.tallies)):
                points.append(0)

    def _halve_curve(self) -> None:
        self.stride *= 2
        self.curve_held = _pairs(self.curve_held)
        self.slices_held.halve()
        for tally in self.tallies:
            tally.curve = _pairs(tally.curve)
            tally.slices.halve()

    def _count(self, index: int, truth: int, predicted: Sequence[int], losses: Sequence[int], sign: int) -> None:
        point, slot = index // self.stride, index % self.window
        recent = index >= self.total - self.window and index >= self.tracked
        weight = sign * FADING ** (self.total - 1 - index)
        piece = point // POINTS_A_SLICE
        self.held += sign
        self.faded_held += weight
        self.slices_held.add(truth, piece, sign)
        self.true.add(truth, sign)
        self.curve_held[point] += sign
        self.recent_held += sign * recent
        for tally, guess, loss in zip(self.tallies, predicted, losses, strict=True):
            right = guess == truth
            _add(tally.confusion, (truth, guess), sign)
            if guess >= 0:
                tally.guessed.add(guess, sign)
            tally.loss += sign * loss
            tally.right += sign * right
            tally.curve[point] += sign * right
            if right:
                tally.faded_right += weight
                tally.slices.add(truth, piece, sign)
            if recent:
                tally.recent_right += sign * right
                tally.recent[slot] = (_RIGHT if right else _WRONG) if sign > 0 else _EMPTY

    # What changes with the settings.

    def resize(self, window: int) -> None:
        """From here on the windowed accuracy is over ``window`` indices; a wider one fills with those to come."""
        newest = range(max(self.total - min(self.window, window), self.tracked), self.total)
        for tally in self.tallies:
            recent = bytearray(window)
            for index in newest:
                recent[index % window] = tally.recent[index % self.window]
            tally.recent, tally.recent_right = recent, recent.count(_RIGHT)
        self.window, self.tracked = window, newest.start
        self.recent_held = window - self.tallies[0].recent.count(_EMPTY)

    def keep(self, models: Sequence[int]) -> None:
        """Only these models' tallies, in this order."""
        self.tallies = [self.tallies[model] for model in models]

    def renumber(self, classes: Sequence[int]) -> None:
        """Class n is to be ``classes[n]``."""
        numbers = dict(enumerate(classes)) | {-1: -1}
        self.slices_held = self.slices_held.renumbered(classes)
        for tally in self.tallies:
            tally.confusion = {(numbers[true], numbers[guess]): n for (true, guess), n in tally.confusion.items()}
            tally.slices = tally.slices.renumbered(classes)
        self._add_up()

    # What is read off.

    def accuracy(self, model: int) -> float | None:
        return self.tallies[model].right / self.held if self.held else None

    def window_accuracy(self, model: int) -> float | None:
        return self.tallies[model].recent_right / self.recent_held if self.recent_held else None

    def fading_accuracy(self, model: int) -> float | None:
        """Each example weighs 0.999 of the one after it (Gama, Sebastiao & Rodrigues 2013)."""
        if not self.held or self.faded_held < LEAST_WEIGHT:
            return None
        return min(1.0, max(0.0, self.tallies[model].faded_right / self.faded_held))

    def log_loss(self, model: int) -> float | None:
        """Mean, in nats."""
        return self.tallies[model].loss * LOSS_UNIT / self.held if self.held else None

    def kappa(self, model: int) -> float | None:
        """Cohen's kappa (1960) of predictions and truth; 0 where chance agreement is certain."""
        if not self.held:
            return None
        expected = self.true.dot(self.tallies[model].guessed) / self.held**2
        return (self.tallies[model].right / self.held - expected) / (1 - expected) if expected < 1 else 0.0

    def frequent(self, most: int) -> list[int]:
        """The classes of most scored examples, no more than ``most``, in the order of their numbers."""
        support = self.true.vector(len(self.true))
        order = np.lexsort((np.arange(len(support)), -support))[:most]
        return sorted(label for label in order.tolist() if support[label] > 0)

    def per_class(self, model: int, classes: int = 0) -> PerClass:
        """By class, of at least ``classes``: precision, recall, F1, support, and how much of its recall was lost."""
        tally, classes = self.tallies[model], max(classes, len(self.true), len(self.tallies[model].guessed))
        support, named = self.true.vector(classes), tally.guessed.vector(classes)
        hits = np.array([tally.confusion.get((label, label), 0) for label in range(classes)], np.int64)
        forgetting = _forgetting(self.slices_held.table(classes), tally.slices.table(classes))
        return PerClass(
            _shares(hits, named), _shares(hits, support), _shares(2 * hits, named + support), support, forgetting
        )

    def places(self, indices: Sequence[int]) -> list[int]:
        """Where on the curve's axis each of these indices lies, as near as its points are."""
        held = np.cumsum(self.curve_held)
        return [int(held[min(max(index - 1, 0) // self.stride, len(held) - 1)]) for index in indices]

    def points(self) -> list[tuple[int, list[float], list[float]]]:
        """The curve: (scored examples, per model accuracy since the start, the same over about the last window)."""
        return [point[1:] for point in self.curve()]

    def curve(self) -> list[tuple[int, int, list[float], list[float]]]:
        """The points, each behind the first index that is in none of them so far."""
        held = np.cumsum(self.curve_held)
        right = np.cumsum([tally.curve for tally in self.tallies], axis=1)
        back = max(1, self.window // self.stride)
        points = []
        for at in np.flatnonzero(self.curve_held).tolist():
            before = (int(held[at - back]), right[:, at - back]) if at >= back else (0, 0 * right[:, 0])
            recent = (right[:, at] - before[1]) / max(1, int(held[at]) - before[0])
            points.append(((at + 1) * self.stride, int(held[at]), (right[:, at] / held[at]).tolist(), recent.tolist()))
        return points

    # As data.

    def parts(self) -> tuple[dict[str, Any], Arrays]:
        """Everything, as JSON and arrays; ``from_parts`` is its inverse."""
        meta = {
            "window": self.window,
            "tracked": self.tracked,
            "total": self.total,
            "held": self.held,
            "recent_held": self.recent_held,
            "stride": self.stride,
            "faded_held": self.faded_held,
            "tallies": [
                {"loss": str(t.loss), "right": t.right, "recent_right": t.recent_right, "faded_right": t.faded_right}
                for t in self.tallies
            ],
        }
        arrays: Arrays = {"curve_held": np.array(self.curve_held, "<i8"), "slices_held": self.slices_held.cells()}
        for number, tally in enumerate(self.tallies):
            arrays[f"confusion.{number}"] = _cells(tally.confusion)
            arrays[f"slices.{number}"] = tally.slices.cells()
            arrays[f"recent.{number}"] = np.frombuffer(bytes(tally.recent), np.uint8)
            arrays[f"curve.{number}"] = np.array(tally.curve, "<i8")
        return meta, arrays

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: Arrays) -> "Prequential":
        self = cls(len(meta["tallies"]), meta["window"])
        self.tracked, self.total, self.held = meta["tracked"], meta["total"], meta["held"]
        self.recent_held, self.stride = meta["recent_held"], meta["stride"]
        self.faded_held = meta["faded_held"]
        self.curve_held = arrays["curve_held"].tolist()
        self.slices_held = Slices.from_cells(arrays["slices_held"])
        for number, tally in enumerate(self.tallies):
            kept = meta["tallies"][number]
            tally.loss, tally.right, tally.recent_right = int(kept["loss"]), kept["right"], kept["recent_right"]
            tally.faded_right = kept["faded_right"]
            tally.confusion = _counts(arrays[f"confusion.{number}"])
            tally.slices = Slices.from_cells(arrays[f"slices.{number}"])
            tally.recent = bytearray(arrays[f"recent.{number}"].tobytes())
            tally.curve = arrays[f"curve.{number}"].tolist()
        self._add_up()
        return self

    def _add_up(self) -> None:
        """What is not stored because the confusion matrices say it."""
        self.true = Counts()
        for tally in self.tallies:
            tally.guessed = Counts()
        for number, tally in enumerate(self.tallies):
            for (truth, guess), count in tally.confusion.items():
                if number == 0:
                    self.true.add(truth, count)
                if guess >= 0:
                    tally.guessed.add(guess, count)


def _add(counts: dict[tuple[int, int], int], cell: tuple[int, int], sign: int) -> None:
    """Count a cell; one that reaches 0 is as if it had never been, in memory as in a snapshot."""
    count = counts.get(cell, 0) + sign
    if count:
        counts[cell] = count
    else:
        counts.pop(cell, None)


def _pairs(points: list[int]) -> list[int]:
    return [sum(points[at : at + 2]) for at in range(0, len(points), 2)]


def _cells(counts: dict[tuple[int, int], int]) -> npt.NDArray[np.int64]:
    return np.array(sorted((*cell, n) for cell, n in counts.items() if n), "<i8").reshape(-1, 3)


def _counts(cells: npt.NDArray[np.int64]) -> dict[tuple[int, int], int]:
    return {(first, second): n for first, second, n in cells.tolist()}


def _shares(part: Numbers, whole: Numbers) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return shares


def _forgetting(held: Numbers, right: Numbers) -> Floats:
    """By class, its best recall in a slice of the stream minus that in the newest slice where it was seen."""
    enough = held >= LEAST_IN_A_SLICE
    recalls = np.divide(right, held, out=np.full(held.shape, -1.0), where=enough)
    newest = held.shape[1] - 1 - np.argmax(enough[:, ::-1], axis=1)
    lost = recalls.max(axis=1, initial=-1.0) - recalls[np.arange(len(held)), newest]
    forgotten: Floats = np.where(enough.any(axis=1), lost, np.nan)
    return forgotten
