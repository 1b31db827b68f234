"""How sharp a model's scores are made before the softmax, and what the newest labels say of that."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.scores import DOUBT, measure
from prequel.services.learner.models.base import Arrays, Matrix
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.labelled_sample import row_numbers
from prequel.services.learner.portable.steps import Softmax

Array = npt.NDArray[np.float64]

_MIN_GROWTH = 4
"""It is measured again when there are a quarter more examples: the right sharpness of young scores grows about as fast
as the examples do. Every eighth costs twice the time and changes nothing, every half makes steps that labels feel."""
_FADING_INTERVAL = 1000
"""Where the past fades there are never more examples than a few hundred, and the right sharpness stays: then it is
measured again after so many. Measuring takes half as long as solving, which short memories do five times as often."""


class Calibration:
    """The state of ``kernels.scores.calibrate`` and its scratch arrays.

    ``sharpness`` is what scores are multiplied with before the softmax until it has been measured on held-out examples
    (``measure``), or labels have taught a better value.
    """

    def __init__(self, sharpness: float) -> None:
        self._prior = float(np.log(sharpness))
        self.temperature, self.recent = np.array([self._prior, 0.0, 0.0]), np.zeros(2)
        self.scores, self.probabilities = np.zeros(2), np.zeros(2)
        self._since = np.zeros(2)
        """Since it was measured: examples learned, and corrections."""
        self._held_out, self._classes, self._numbers = np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0)
        """What it was measured on: scores, classes, and the rows' own random numbers, by which they are found again."""

    @property
    def arguments(self) -> tuple[Array, Array, Array, Array]:
        """``temperature, recent, scores, probabilities``, as the kernels take them."""
        return self.temperature, self.recent, self.scores, self.probabilities

    def count(self, examples: int) -> None:
        """So many examples were learned."""
        self._since[0] += examples

    def count_correction(self) -> None:
        """An example was unlearned, or the past made to weigh less."""
        self._since += 1.0

    def is_due(self, count: float, seen: int) -> bool:
        """Whether to measure at the next opportunity, with ``seen`` examples learned that weigh ``count`` by now.

        After a correction always: fifty wrong labels among three thousand cost a tenth of the log loss.
        """
        examples, corrections = self._since.tolist()
        growth = max(count, min(seen, _MIN_GROWTH * _FADING_INTERVAL)) // _MIN_GROWTH
        return bool(corrections or examples >= growth)

    def measure(self, scores: Array, rows: Matrix, classes: npt.NDArray[np.int64]) -> None:
        """Take the sharpness that fits held-out ``scores`` [n, classes] of ``rows`` of these ``classes`` [n] best.

        What labels have taught beyond it stays, unless there were corrections: then it was taught by wrong labels.
        """
        self._held_out, self._classes, self._numbers = scores, classes.copy(), row_numbers(rows)
        self._fit(keep=not self._since[1])
        self._since[:] = 0.0

    def relabel(self, row: Matrix, old: int, new: int) -> None:
        """A row [1, dim] of class ``old`` is of ``new`` after all, or of none (-1): fit again if it is held out.

        So the last of many corrections count before the scores are solved again: scores held out do not depend on the
        rows' own labels.
        """
        old, new = (target if target < self._held_out.shape[1] else -1 for target in (old, new))
        # Of equal rows, as of one image sent twice, another may be of another class.
        same = np.flatnonzero((self._numbers == row_numbers(row)) & (self._classes == old))
        if len(same):
            self._classes[same[-1]] = new
            self._fit(keep=False)

    def _fit(self, *, keep: bool) -> None:
        # Right after a restart or a merge nothing has been predicted, and so nothing has grown: the kernel would write
        # beyond the array's end.
        self.probabilities = grown(self.probabilities, self._held_out.shape[1])
        log_sharpness = measure(self._held_out, self._classes, self._prior, self.temperature[0], self.probabilities)
        learned, curvature = (self.temperature[1], self.temperature[2]) if keep else (0.0, 0.0)
        self.temperature[:] = log_sharpness, learned, curvature

    def portable(self, counts: Array) -> Softmax:
        """What ``kernels.scores.predict_scores`` makes of scores, where ``counts`` [classes] have been learned."""
        classes = len(counts)
        share = DOUBT * classes / (float(np.maximum(counts, 0.0).sum()) + classes) if classes > 1 else 0.0
        return Softmax(float(np.exp(self.temperature[0] + self.temperature[1])), share)

    def grow(self, classes: int) -> None:
        """Make room for so many classes."""
        self.recent, self.scores = grown(self.recent, classes), grown(self.scores, classes)
        self.probabilities = grown(self.probabilities, classes)

    def arrays(self, classes: int) -> Arrays:
        heat = np.concatenate([self.temperature, self._since])
        held_out = {"held_out": self._held_out.copy(), "held_out_classes": self._classes.copy()}
        numbers = {"held_out_numbers": self._numbers.copy()}
        return {"heat": heat, "recent": self.recent[:classes].copy()} | held_out | numbers

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.temperature, self._since = arrays["heat"][:3].copy(), arrays["heat"][3:].copy()
        self.recent, self._held_out = arrays["recent"].copy(), arrays["held_out"].copy()
        self._classes, self._numbers = arrays["held_out_classes"].copy(), arrays["held_out_numbers"].copy()
